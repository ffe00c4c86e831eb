//! Client order ids, back to the instructions they derive from.

use basis_core::types::{BookId, ClientOrderId, Epoch, InstructionId};

/// Returns the instruction of `book` whose client order id is `text`; `None` for any other order: another
/// book's, another program's, or one that the venue made (liquidation, ADL, settlement).
#[must_use]
pub fn instruction_of(book: BookId, text: &str) -> Option<InstructionId> {
    let rest = text.strip_prefix(book.as_str())?;
    let number = |from: usize| {
        let digits = rest.get(from..from.checked_add(7)?)?;
        u32::from_str_radix(digits, 36).ok()
    };
    let epoch = Epoch::new(number(0)?, number(7)?);
    let instruction = InstructionId::new(epoch, number(14)?);
    // One instruction has one text: what does not derive to it again is not ours.
    let derived = ClientOrderId::derive(book, instruction);
    (derived.as_str() == text).then_some(instruction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_instruction_and_no_other_text_does() {
        let book = BookId::from_number(7);
        for (seconds, random, counter) in [
            (0, 0, 1),
            (1_704_067_200, 9, 5),
            (u32::MAX, u32::MAX, u32::MAX),
        ] {
            let id = InstructionId::new(Epoch::new(seconds, random), counter);
            let text = ClientOrderId::derive(book, id).to_string();
            assert_eq!(instruction_of(book, &text), Some(id));
            assert_eq!(instruction_of(BookId::from_number(8), &text), None);
            assert_eq!(instruction_of(book, &format!("{text}0")), None);
        }
        let id = InstructionId::new(Epoch::new(u32::MAX, 0), 1);
        let shouted = ClientOrderId::derive(book, id).to_string().to_uppercase();
        assert_eq!(instruction_of(book, &shouted), None);
        for foreign in [
            "",
            "autoclose-1",
            "adl_autoclose",
            "settlement_autoclose-1",
            "00000007+000001000000000000001",
        ] {
            assert_eq!(instruction_of(book, foreign), None, "{foreign}");
        }
    }
}
