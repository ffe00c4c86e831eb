//! A borrower of flash loans who does something with them.

/// Returns the runtime code of a contract that calls whoever calls it with the bytes of the call's last
/// argument, whose length stands at `length_at` of the calldata: reverts with the answer of a call that
/// reverts, and returns `true` otherwise.
///
/// The packages' own receivers do nothing in the pool while they have the loan.
pub fn calling_back(length_at: u8) -> Vec<u8> {
    let data_at = length_at.wrapping_add(32);
    // PUSH1 0, as older compilers write it, instead of PUSH0.
    const ZERO: [u8; 2] = [0x60, 0x00];
    let mut code = vec![0x60, length_at, 0x35]; // len = calldataload(length_at)
    code.extend([0x80, 0x60, data_at]); // calldatacopy(0, data_at, len)
    code.extend(ZERO);
    code.push(0x37);
    code.extend([ZERO, ZERO].concat()); // call(gas, caller, 0, 0, len, 0, 0)
    code.push(0x82);
    code.extend([ZERO, ZERO].concat());
    code.extend([0x33, 0x5a, 0xf1]);
    let after = u8::try_from(code.len() + 13).expect("invariant: the code is short");
    code.extend([0x60, after, 0x57]); // jumpi(after, done)
    code.push(0x3d); // returndatacopy(0, 0, returndatasize)
    code.extend([ZERO, ZERO].concat());
    code.extend([0x3e, 0x3d]); // revert(0, returndatasize)
    code.extend(ZERO);
    code.push(0xfd);
    code.extend([0x5b, 0x60, 0x01]); // after: return true
    code.extend(ZERO);
    code.extend([0x52, 0x60, 0x20]);
    code.extend(ZERO);
    code.push(0xf3);
    code
}
