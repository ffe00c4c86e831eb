//! Share arithmetic of Lido (stETH, wstETH) and EtherFi (eETH, weETH).
