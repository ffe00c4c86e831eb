//! Curve StableSwap: invariant, exchange and liquidity as the pool computes them.
