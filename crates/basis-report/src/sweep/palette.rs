//! The look of the heat map: shades for light and dark pages, and what the page has of style beside the kit's.

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

/// The style of maps, bars and the scale beside the kit's own.
pub(super) const STYLE: &str = "\
.map{width:auto}.map th,.map td{border:1px solid var(--line);padding:.35rem .55rem;text-align:right}\
.map thead th:first-child{max-width:10rem;overflow-wrap:anywhere}\
.map tbody th{position:sticky;left:0;max-width:45vw;overflow-wrap:anywhere;background:var(--page)}\
td small{display:block;font-size:.72rem}\
.none{color:var(--muted);font-style:italic}\
.scale{display:flex;align-items:center;margin:.5rem 0}.scale i{flex:0 1 1.4rem;height:1rem}\
.scale span{padding:0 .5rem 0 0;white-space:nowrap}.scale i+span{padding:0 0 0 .5rem}\
.map .bar{min-width:10rem;padding:.35rem 0}.bar i{display:block;height:1rem;background:var(--c0)}";

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
