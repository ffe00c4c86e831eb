"""config.yaml: block maps, `- ` lists, scalars as JSON strings or plain words."""

import json


def scalar(text):
    if text in ("", "null", "~"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if text in ("[]", "{}"):
        return [] if text == "[]" else {}
    return json.loads(text) if text.startswith('"') else text


def split_key(text):
    """`key: rest`, or None when the line is no entry of a map."""
    if text.startswith('"'):
        end = json.JSONDecoder().raw_decode(text)[1]
        key, rest = json.loads(text[:end]), text[end:]
        return (key, rest[1:].strip()) if rest.startswith(":") else None
    key, colon, rest = text.partition(":")
    return (key, rest.strip()) if colon and (not rest or rest[0] == " ") else None


def read_yaml(text):
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        body = raw.strip()
        if body and not body.startswith("#") and body != "---":
            lines.append((len(raw) - len(raw.lstrip()), body, number))

    def block(at, indent):
        """The value whose lines start at `at`, indented by `indent`; and the line after it."""
        if lines[at][1].startswith("- ") or lines[at][1] == "-":
            items = []
            while at < len(lines) and lines[at][0] == indent and lines[at][1][:1] == "-":
                inner = lines[at][1][1:].strip()
                if not inner:
                    value, at = block(at + 1, lines[at + 1][0])
                elif split_key(inner):
                    # `- key: value` opens a map that goes on below, indented past the dash.
                    column = indent + len(lines[at][1]) - len(inner)
                    lines[at] = (column, inner, lines[at][2])
                    value, at = block(at, column)
                else:
                    value, at = scalar(inner), at + 1
                items.append(value)
            return items, at
        entries = {}
        while at < len(lines) and lines[at][0] == indent:
            pair = split_key(lines[at][1])
            if pair is None:
                raise ValueError(f"config.yaml line {lines[at][2]}: no `key: value`")
            key, rest = pair
            at += 1
            if rest:
                entries[key] = scalar(rest)
            elif at < len(lines) and (lines[at][0] > indent or
                                      lines[at][0] == indent and lines[at][1][:1] == "-"):
                entries[key], at = block(at, lines[at][0])
            else:
                entries[key] = None
        return entries, at

    if not lines:
        return {}
    value, at = block(0, lines[0][0])
    if at != len(lines):
        raise ValueError(f"config.yaml line {lines[at][2]}: indentation ends no block")
    return value


def dig(tree, *keys, default=None):
    for key in keys:
        if not isinstance(tree, dict) or tree.get(key) is None:
            return default
        tree = tree[key]
    return tree
