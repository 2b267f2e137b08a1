//! Ways to rewrite a server's responses, for [`ModelServer::quirk`](super::ModelServer::quirk).

pub use super::mail::find;

/// The first of a text replaced by another. Sizes of literals are left as they are.
pub fn replace(line: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    match find(&line, from.as_bytes()) {
        Some(at) => [&line[..at], to.as_bytes(), &line[at + from.len()..]].concat(),
        None => line,
    }
}

/// `* 1 FETCH (UID 7 …)` with the UID at the end.
pub fn uid_last(command: &str, line: Vec<u8>) -> Vec<u8> {
    let Some(start) = find(&line, b"(UID ").map(|at| at + 1) else { return line };
    let digits = line[start + 4..].iter().take_while(|b| b.is_ascii_digit()).count();
    let end = start + 4 + digits;
    if !command.ends_with("FETCH") || line[end] != b' ' {
        return line;
    }
    let (uid, rest) = (&line[start..end], &line[end + 1..line.len() - 3]);
    [&line[..start], rest, b" ", uid, b")\r\n"].concat()
}

/// `BODY[] {n}` and its octets, as the last item, replaced by NIL.
pub fn nil_body(line: Vec<u8>) -> Vec<u8> {
    match find(&line, b"BODY[] {") {
        Some(at) => [&line[..at], b"BODY[] NIL)\r\n".as_slice()].concat(),
        None => line,
    }
}
