//! The event log of a run: one file of JSON lines per component that recorded anything.

use std::fs;
use std::path::Path;

use basis_core::error::ComponentError;
use basis_core::event::{Component, Difference, Event, EventData, InstructionOutcome};
use basis_core::types::RunId;
use serde_json::{Value as Json, json};

use crate::directory::{WrittenFile, failed};
use crate::table::Rows as _;
use crate::table::csv::Table;

/// Writes `events/<component>_events.jsonl`; `seq` is the event's place in the run.
pub(super) fn write(
    directory: &Path,
    events: &[Event],
    run_id: RunId,
) -> Result<Vec<WrittenFile>, ComponentError> {
    let folder = directory.join("events");
    fs::create_dir(&folder).map_err(|e| failed(&folder, &e))?;
    let mut files = Vec::new();
    for component in Component::ALL {
        let mut own = events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.component == component)
            .peekable();
        if own.peek().is_none() {
            continue;
        }
        let name = format!("{}_events.jsonl", component.file_stem());
        let mut table = Table::create(&folder, &name)?;
        for (seq, event) in own {
            line(&mut table.row, seq, event, run_id);
            table.flush_from(1 << 20)?;
        }
        files.push(WrittenFile {
            name: format!("events/{name}"),
            bytes: table.finish()?,
        });
    }
    Ok(files)
}

/// The envelope is put together by hand, so that its fields come in the documented order.
fn line(out: &mut Vec<u8>, seq: usize, event: &Event, run_id: RunId) {
    out.extend_from_slice(b"{\"timestamp\":\"");
    event.at.write_iso(out);
    out.extend_from_slice(b"\",");
    out.extend_from_slice(
        format!(
            "\"seq\":{seq},\"run_id\":\"{run_id}\",\"event_type\":\"{}\",\"component\":\"{}\",\"data\":{}}}\n",
            event.data.event_type(),
            event.component.as_str(),
            data(&event.data),
        )
        .as_bytes(),
    );
}

#[expect(clippy::too_many_lines, reason = "one short arm per kind of event")]
fn data(data: &EventData) -> Json {
    match data {
        EventData::ComponentInitialization {
            available_venues,
            config_hash,
        } => json!({ "available_venues": available_venues, "config_hash": config_hash }),
        EventData::InterfaceCreated {
            venue,
            interface_class,
            processing_time_ms,
        } => json!({
            "venue": venue,
            "interface_class": interface_class,
            "processing_time_ms": processing_time_ms,
        }),
        EventData::Plan {
            action,
            reason,
            blocks,
            legs,
        } => json!({ "action": action.as_str(), "reason": reason, "blocks": blocks, "legs": legs }),
        EventData::Instruction {
            id,
            venue,
            operation,
            outcome,
        } => {
            let (word, failure) = outcome_fields(outcome);
            json!({
                "instruction_id": id,
                "venue": venue,
                "operation": operation.as_str(),
                "outcome": word,
                "failure": failure,
            })
        }
        EventData::FailurePolicyApplied {
            policy,
            failed,
            unwinding,
        } => json!({ "policy": policy, "failed": failed, "unwinding": unwinding }),
        EventData::Reconciliation {
            compared,
            differences,
        } => {
            let differences: Vec<_> = differences.iter().map(difference).collect();
            json!({ "compared": compared, "differences": differences })
        }
        EventData::StateUpdate { state, detail } => json!({ "state": state, "detail": detail }),
        EventData::VenueEvent {
            venue,
            what,
            detail,
        } => json!({ "venue": venue, "what": what, "detail": detail }),
        EventData::Risk {
            level,
            measure,
            value,
            limit,
            account,
        } => json!({
            "level": level,
            "measure": measure,
            "value": value.to_string(),
            "limit": limit.to_string(),
            "account": account.map(|account| account.to_string()),
        }),
        EventData::Error {
            code,
            message,
            severity,
            causes,
        } => json!({
            "code": code.as_str(),
            "message": message,
            "severity": severity.as_str(),
            "causes": causes,
        }),
        // A later kind of core: kept readable until it has its own fields here.
        other => json!({ "text": format!("{other:?}") }),
    }
}

/// The outcome's word, and code and message of a failure.
fn outcome_fields(outcome: &InstructionOutcome) -> (&'static str, Json) {
    match outcome {
        InstructionOutcome::Settled => ("settled", Json::Null),
        InstructionOutcome::Open => ("open", Json::Null),
        InstructionOutcome::Pending => ("pending", Json::Null),
        InstructionOutcome::Failed(code, message) => (
            "failed",
            json!({ "code": code.as_str(), "message": message }),
        ),
    }
}

fn difference(difference: &Difference) -> Json {
    json!({
        "account": difference.account.to_string(),
        "item": difference.item.to_string(),
        "expected": difference.expected.to_string(),
        "actual": difference.actual.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::directory::tests::Scratch;

    #[test]
    fn only_components_with_events_have_a_file_and_seq_counts_the_run() {
        let scratch = Scratch::new("events");
        let files = write(
            &scratch.path,
            &sample::result().events,
            sample::context().run_id,
        )
        .unwrap();
        assert_eq!(files.len(), 2);
        let read = |name: &str| {
            fs::read_to_string(
                scratch
                    .path
                    .join("events")
                    .join(format!("{name}_events.jsonl")),
            )
            .unwrap()
        };
        assert_eq!(
            read("engine"),
            "{\"timestamp\":\"2024-05-01T00:00:00Z\",\"seq\":0,\"run_id\":\"00000007\",\
             \"event_type\":\"state_update\",\"component\":\"Engine\",\
             \"data\":{\"detail\":\"a \\\"quoted\\\" word\",\"state\":\"started\"}}\n"
        );
        let factory: Json = serde_json::from_str(&read("execution_interface_factory")).unwrap();
        assert_eq!(factory["seq"], 1);
        assert_eq!(factory["data"]["processing_time_ms"], 3);
    }
}
