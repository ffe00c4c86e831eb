use crate::chain::testing::{ChainDesk, World, at, lines, unwrap, wrap};

fn desk() -> ChainDesk {
    ChainDesk::new(World::new(), &[], &[("ETH", "2"), ("USDT", "50")])
}

#[test]
fn ether_is_wrapped_and_unwrapped_one_for_one() {
    let mut desk = desk();
    let done = desk.run("wallet", wrap("ETH", "WETH", "1.5"));
    assert_eq!(done.at, at(0));
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main ETH trade -1.5 $-3000",
            "wallet.main WETH trade 1.5 $3000",
            "wallet.main ETH gas -0.0009 $-1.8",
        ]
    );
    let reference = done.venue_reference.unwrap();
    assert_eq!(reference.len(), 66);
    let done = desk.run("wallet", unwrap("WETH", "ETH", "all"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main WETH trade -1.5 $-3000",
            "wallet.main ETH trade 1.5 $3000",
        ]
    );
    assert_ne!(done.venue_reference.unwrap(), reference);
    assert_eq!(desk.held("wallet.main", "WETH").0, "0");
}

#[test]
fn other_pairs_too_much_and_gas_that_is_not_there_are_refused() {
    let mut desk = desk();
    let mut said = |operation| desk.refused("wallet", operation).1;
    let text = said(wrap("WETH", "ETH", "1"));
    assert!(text.contains("it wraps ETH into WETH"), "{text}");
    let text = said(wrap("USDT", "WETH", "1"));
    assert!(text.contains("does not wrap USDT into WETH"), "{text}");
    let text = said(wrap("ETH", "WETH", "3"));
    assert_eq!(text, "insufficient balance: 3 ETH needed, 2 free");
    let text = said(wrap("ETH", "WETH", "2"));
    assert_eq!(text, "insufficient balance: 0.0009 ETH needed, 0 free");
    let text = said(unwrap("WETH", "ETH", "all"));
    assert!(text.contains("must be above zero"), "{text}");
}
