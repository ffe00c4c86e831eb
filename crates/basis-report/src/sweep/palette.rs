//! The look of the heat map: shades for light and dark pages, and the page's style.

/// Steps of the color scale.
pub(super) const SHADES: usize = 9;

/// Background and text of every shade, light page then dark page; text contrast is at least 4.5.
const LIGHT: [(&str, &str); SHADES] = [
    ("#f1f6fc", "#111"),
    ("#dde9f6", "#111"),
    ("#c5daef", "#111"),
    ("#a6c8e6", "#111"),
    ("#82b2db", "#111"),
    ("#6aa3d3", "#111"),
    ("#2b6ca8", "#fff"),
    ("#1a5690", "#fff"),
    ("#0b3d70", "#fff"),
];
const DARK: [(&str, &str); SHADES] = [
    ("#15202d", "#fff"),
    ("#182c42", "#fff"),
    ("#1b3a59", "#fff"),
    ("#1f4871", "#fff"),
    ("#24588b", "#fff"),
    ("#2b6ca8", "#fff"),
    ("#6aa3d3", "#111"),
    ("#93bde0", "#111"),
    ("#c5daef", "#111"),
];

/// The classes `q0` to `q8`, for a light and a dark page.
pub(super) fn shades() -> String {
    let rules = |shades: &[(&str, &str)]| -> String {
        let rule = |(at, (back, text)): (usize, &(&str, &str))| {
            format!(".q{at}{{background:{back};color:{text}}}")
        };
        shades.iter().enumerate().map(rule).collect()
    };
    format!(
        "{}@media (prefers-color-scheme:dark){{{}}}",
        rules(&LIGHT),
        rules(&DARK)
    )
}

/// The style of the page but its shades.
pub(super) const STYLE: &str = "\
:root{--back:#fff;--text:#1b1f24;--line:#c9d1d9;--soft:#57606a;--bar:#2b6ca8}\
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--line:#30363d;--soft:#9da7b3;--bar:#6aa3d3}}\
body{margin:0;background:var(--back);color:var(--text);font:16px/1.45 system-ui,sans-serif}\
main{max-width:72rem;margin:0 auto;padding:1rem}\
h1,h2,h3{overflow-wrap:anywhere}h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem}\
.warn{border-left:.3rem solid #d29922;padding-left:.6rem;font-weight:600}\
.scroll{overflow-x:auto;margin:1rem 0}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
thead th:first-child{white-space:normal;max-width:10rem;overflow-wrap:anywhere}\
th,td{border:1px solid var(--line);padding:.35rem .55rem;text-align:right;white-space:nowrap}\
th{font-weight:600;background:var(--back)}\
tbody th{position:sticky;left:0;max-width:45vw;white-space:normal;overflow-wrap:anywhere}\
.ranked th,.ranked thead th:first-child{overflow-wrap:normal;max-width:none}.ranked{font-size:.9rem}\
small{display:block;font-size:.72rem}\
.none{color:var(--soft);font-style:italic}\
.scale{display:flex;align-items:center}.scale i{flex:0 1 1.4rem;height:1rem}\
.scale span{padding:0 .5rem 0 0;white-space:nowrap}.scale i+span{padding:0 0 0 .5rem}\
.bar{min-width:10rem;padding:.35rem 0}.bar i{display:block;height:1rem;background:var(--bar)}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_out_from_every_shade() {
        let luminance = |hex: &str| {
            let full = match hex.len() {
                4 => hex.chars().skip(1).flat_map(|c| [c, c]).collect::<String>(),
                _ => hex[1..].to_owned(),
            };
            let part = |at: usize| {
                let x = f64::from(u8::from_str_radix(&full[at..at + 2], 16).unwrap()) / 255.0;
                if x <= 0.03928 {
                    x / 12.92
                } else {
                    ((x + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
        };
        for (back, text) in LIGHT.iter().chain(&DARK) {
            let (a, b) = (luminance(back), luminance(text));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.5, "{text} on {back}: {contrast:.2}");
        }
    }
}
