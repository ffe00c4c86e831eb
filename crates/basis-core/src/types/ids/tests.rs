use super::*;

#[test]
fn client_order_id_fits_every_venue() {
    let last = InstructionId::new(Epoch::new(u32::MAX, u32::MAX), u32::MAX);
    let longest = ClientOrderId::derive(BookId::from_number(u64::MAX), last);
    assert!(longest.as_str().len() <= 32, "{longest}");
    assert!(longest.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
    let one = InstructionId::new(Epoch::new(1, 0), 1);
    assert_eq!(
        ClientOrderId::derive(BookId::from_number(7), one).as_str(),
        "00000007000000100000000000001"
    );
}

#[test]
fn instruction_ids_read_back_and_have_one_text() {
    let ids = [
        InstructionId::default(),
        InstructionId::plain(5),
        InstructionId::new(Epoch::new(1_704_067_200, 0), 5),
        InstructionId::new(Epoch::new(1, 0xa), u32::MAX),
    ];
    for id in ids {
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<InstructionId>(&json).unwrap(), id);
    }
    assert_eq!(
        serde_json::from_str::<InstructionId>("\"5\"").unwrap(),
        ids[1]
    );
    for text in [
        "",
        "-1",
        "05",
        "1-",
        "1r0-1",
        "1-1-1",
        "+5",
        "1rA-1",
        "4294967296",
    ] {
        assert!(text.parse::<InstructionId>().is_err(), "{text}");
    }
}

#[test]
fn epochs_only_rise() {
    let at = Timestamp::from_seconds(1_000);
    let first = Epoch::after(None, at).unwrap();
    assert_eq!(first.seconds(), 1_000);
    let same_second = Epoch::after(Some(first), at).unwrap();
    assert_eq!(same_second.seconds(), 1_001);
    let clock_set_back = Epoch::after(Some(first), Timestamp::from_seconds(10)).unwrap();
    assert_eq!(clock_set_back.seconds(), 1_001);
    assert_eq!(Epoch::after(Some(Epoch::new(u32::MAX, 0)), at), None);
}

#[test]
fn a_side_of_a_perpetual_has_its_own_text_and_the_perpetual_s_series() {
    let perp = InstrumentKey::new(
        Venue::literal("binance"),
        InstrumentKind::Perp,
        Symbol::literal("BTCUSDT"),
    );
    let long = perp.sided(Some(PositionSide::Long));
    assert_eq!(long.to_string(), "binance:perp:BTCUSDT:long");
    assert_eq!(perp.sided(None), perp);
    assert_ne!(long, perp);
    assert_eq!(long.series(), perp.series());
    assert_eq!(long.funding_series(), perp.funding_series());
    assert_eq!(long.kind.contract(), InstrumentKind::Perp);
}

#[test]
fn series_id_round_trips_and_says_what_it_wants() {
    let id: SeriesId = "perp.okx.BTCUSDT".parse().unwrap();
    assert_eq!(id.to_string(), "perp.okx.BTCUSDT");
    assert!(
        "perp.okx"
            .parse::<SeriesId>()
            .unwrap_err()
            .contains("kind.venue.SYMBOL")
    );
    let message = "perps.okx.BTCUSDT".parse::<SeriesId>().unwrap_err();
    assert!(
        message.contains("(kinds: spot, perp, mark, index, peg, funding, dex,"),
        "{message}"
    );
    for kind in SeriesKind::ALL {
        let id = SeriesId::new(kind, Venue::literal("aave"), Symbol::literal("weETH_ETH"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            serde_json::to_value(kind).unwrap(),
            kind.as_str(),
            "one word"
        );
    }
}
