"""Actions of executions.csv, from the plans and policies of the event log."""

import json


class Actions:
    """Which plan each instruction was sent for."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check

    def audit_actions(self):
        """An instruction is sent for the plan that was logged last; what undoes a failed block is a partial exit."""
        if not (self.audit.run / "events").is_dir():
            self.audit.skip("no event log: actions are not checked")
            return
        sent = self.sent()
        for number, row in self.audit.executions:
            late = row["action"] == "late_fill"
            if not self.check("executions.csv", number, "its instruction is in the event log", True, row["instruction_id"] in sent):
                continue
            if late:
                continue
            self.check("executions.csv", number, "action of its plan", sent[row["instruction_id"]], row["action"])

    def sent(self):
        events = []
        for path in sorted((self.audit.run / "events").glob("*.jsonl")):
            with path.open() as file:
                events += [json.loads(line) for line in file]
        events.sort(key=lambda event: event["seq"])
        action, undoing, sent = None, set(), {}
        for event in events:
            data = event["data"]
            if event["event_type"] == "plan":
                action = data["action"]
            elif event["event_type"] == "failure_policy_applied" and data["policy"] in ("cancel", "cut", "compensate"):
                undoing.update(data["unwinding"])
            elif event["event_type"] == "instruction":
                undoes = data["instruction_id"] in undoing
                sent.setdefault(data["instruction_id"], "exit_partial" if undoes else action)
        return sent
