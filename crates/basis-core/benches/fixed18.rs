//! Speed of [`Fixed18`] beside `rust_decimal` and plain `i128` arithmetic.
//!
//! The operands are those of a backtest: a quantity of 8 decimals, a price of
//! 2. Each benchmark goes over an array of them, and its figure is for the
//! whole array; divide by [`COUNT`] for one operation.

use std::hint::black_box;

use basis_core::num::{Fixed18, Rounding};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rust_decimal::Decimal;

/// Operands per iteration, so that timer and loop cost vanish.
const COUNT: u32 = 1024;

const SCALE: i128 = Fixed18::SCALE;

type Pairs<T> = Vec<(T, T)>;

/// Operands of varied digits and length, the same in every run.
fn texts() -> Vec<(String, String)> {
    (0..u64::from(COUNT))
        .map(|i| {
            let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (quantity, price) = (noise >> 34, noise % 8_000_000);
            (
                format!("{}.{:08}", quantity / 100_000_000, quantity % 100_000_000),
                format!("{}.{:02}", 100 + price / 100, price % 100),
            )
        })
        .collect()
}

fn pairs<T: std::str::FromStr>() -> Pairs<T>
where
    T::Err: std::fmt::Debug,
{
    let parse = |text: &str| text.parse().expect("a decimal number");
    texts().iter().map(|(a, b)| (parse(a), parse(b))).collect()
}

/// The same pairs of quantity and price in each type.
struct Operands {
    fixed: Pairs<Fixed18>,
    decimal: Pairs<Decimal>,
    plain: Pairs<i128>,
    /// At 8 decimals, where the product of plain integers does not overflow.
    short: Pairs<i128>,
}

fn operands() -> Operands {
    let fixed = pairs::<Fixed18>();
    let at = |decimals: u32| {
        let unit = 10_i128.pow(18 - decimals);
        let scaled = |x: Fixed18| x.mantissa() / unit;
        fixed
            .iter()
            .map(|(a, b)| (scaled(*a), scaled(*b)))
            .collect()
    };
    Operands {
        decimal: pairs(),
        plain: at(18),
        short: at(8),
        fixed,
    }
}

fn sweep<T: Copy, R>(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    pairs: &[(T, T)],
    op: impl Fn(T, T) -> R,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for (a, b) in black_box(pairs) {
                black_box(op(*a, *b));
            }
        });
    });
}

fn arithmetic(c: &mut Criterion) {
    let Operands {
        fixed,
        decimal,
        plain,
        short,
    } = operands();
    let mut group = c.benchmark_group("add");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    sweep(&mut group, "fixed18", &fixed, |a, b| a.add(b));
    sweep(&mut group, "rust_decimal", &decimal, |a, b| {
        a.checked_add(b)
    });
    sweep(&mut group, "i128", &plain, |a, b| a.checked_add(b));
    group.finish();

    let mut group = c.benchmark_group("mul");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    sweep(&mut group, "fixed18 down", &fixed, |a, b| {
        a.mul(b, Rounding::Down)
    });
    sweep(&mut group, "fixed18 half even", &fixed, |a, b| {
        a.mul(b, Rounding::HalfEven)
    });
    // Each product waits for the one before: latency, not throughput.
    let growth = Fixed18::literal("1.00004687");
    group.bench_function("fixed18 half even, chained", |bencher| {
        bencher.iter(|| {
            (0..COUNT).fold(black_box(Fixed18::ONE), |index, _| {
                index
                    .mul(growth, Rounding::HalfEven)
                    .expect("the index stays near one")
            })
        });
    });
    let mode = black_box(Rounding::HalfEven);
    sweep(&mut group, "fixed18 mode unknown", &fixed, |a, b| {
        a.mul(b, mode)
    });
    sweep(&mut group, "rust_decimal", &decimal, |a, b| {
        a.checked_mul(b)
    });
    sweep(&mut group, "i128 at 8 decimals", &short, |a, b| {
        a.checked_mul(b).map(|product| product / 100_000_000)
    });
    group.finish();
}

fn division(c: &mut Criterion) {
    let Operands {
        fixed,
        decimal,
        plain,
        short,
    } = operands();
    let mut group = c.benchmark_group("div");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    sweep(&mut group, "fixed18 by price", &fixed, |a, b| {
        a.div(b, Rounding::HalfEven)
    });
    sweep(&mut group, "fixed18 by quantity", &fixed, |a, b| {
        b.div(a, Rounding::HalfEven)
    });
    sweep(&mut group, "fixed18 mul_div", &fixed, |a, b| {
        a.mul_div(b, b, Rounding::HalfEven)
    });
    sweep(&mut group, "rust_decimal by price", &decimal, |a, b| {
        a.checked_div(b)
    });
    sweep(&mut group, "rust_decimal by quantity", &decimal, |a, b| {
        b.checked_div(a)
    });
    sweep(&mut group, "i128 at 8 decimals", &short, |a, b| {
        a.checked_mul(100_000_000).and_then(|a| a.checked_div(b))
    });
    group.finish();

    let mut group = c.benchmark_group("round");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    let lot = Fixed18::literal("0.001");
    sweep(&mut group, "fixed18 to step", &fixed, |a, _| {
        a.round_to_step(lot, Rounding::Down)
    });
    sweep(&mut group, "fixed18 to decimals", &fixed, |a, _| {
        a.round_to_decimals(3, Rounding::Down)
    });
    sweep(&mut group, "rust_decimal to decimals", &decimal, |a, _| {
        a.round_dp(3)
    });
    sweep(&mut group, "i128", &plain, |a, _| a - a % (SCALE / 1000));
    sweep(&mut group, "fixed18 sqrt", &fixed, |a, _| a.sqrt_floor());
    group.finish();
}

fn text(c: &mut Criterion) {
    let texts = texts();
    let cells: Pairs<&str> = texts
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    sweep(&mut group, "fixed18 price", &cells, |_, b| {
        Fixed18::parse_bytes(b.as_bytes())
    });
    sweep(&mut group, "fixed18 quantity", &cells, |a, _| {
        Fixed18::parse_bytes(a.as_bytes())
    });
    sweep(&mut group, "rust_decimal price", &cells, |_, b| {
        Decimal::from_str_exact(b)
    });
    sweep(&mut group, "rust_decimal quantity", &cells, |a, _| {
        Decimal::from_str_exact(a)
    });
    sweep(&mut group, "f64 price", &cells, |_, b| b.parse::<f64>());
    let exponents: Pairs<&str> = vec![("4.687e-05", ""); texts.len()];
    sweep(&mut group, "fixed18 exponent", &exponents, |a, _| {
        Fixed18::parse_bytes(a.as_bytes())
    });
    group.finish();

    let fixed = pairs::<Fixed18>();
    let long: Pairs<Fixed18> = fixed
        .iter()
        .map(|(a, b)| (a.div(*b, Rounding::Down).expect("a price above zero"), *b))
        .collect();
    let decimal = pairs::<Decimal>();
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    let mut out = Vec::with_capacity(64);
    group.bench_function("fixed18 price", |bencher| {
        bencher.iter(|| write_all(&mut out, fixed.iter().map(|(_, b)| b)));
    });
    group.bench_function("fixed18 quantity", |bencher| {
        bencher.iter(|| write_all(&mut out, fixed.iter().map(|(a, _)| a)));
    });
    group.bench_function("fixed18 18 decimals", |bencher| {
        bencher.iter(|| write_all(&mut out, long.iter().map(|(a, _)| a)));
    });
    group.bench_function("rust_decimal price", |bencher| {
        bencher.iter(|| {
            use std::io::Write as _;
            out.clear();
            for (_, b) in &decimal {
                write!(out, "{b}").expect("a vector takes all");
            }
            black_box(out.as_slice());
        });
    });
    group.finish();
}

fn write_all<'a>(out: &mut Vec<u8>, numbers: impl Iterator<Item = &'a Fixed18>) {
    out.clear();
    for number in numbers {
        number.write_decimal(out);
    }
    black_box(out.as_slice());
}

criterion_group!(benches, arithmetic, division, text);
criterion_main!(benches);
