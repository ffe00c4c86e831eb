//! The live client of Bybit against a Bybit in process, under virtual time: as for Binance, by Bybit's ways.

mod cases;
mod kills;
mod plan;
mod process;
mod schedules;
mod teeth;
mod venue;
mod verdict;
mod ways;
