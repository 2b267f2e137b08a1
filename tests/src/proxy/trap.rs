//! Something that is done when a byte of a connection passes, such as killing the program that waits for the next.

use std::fmt;

use super::Side;

/// Commands that change something on a server, as they stand in a client's lines.
pub const CHANGING: [&str; 9] = [
    " STORE ",
    " MOVE ",
    " COPY ",
    " APPEND ",
    " EXPUNGE ",
    " CREATE ",
    " RENAME ",
    " DELETE ",
    " SUBSCRIBE ",
];

/// Springs once: the connection passes up to a byte and no further, and is closed when what is to be done is done.
pub struct Trap {
    side: Side,
    left: u64,
    /// Bytes count from the first command on that changes something.
    waits: bool,
    act: Box<dyn FnOnce() + Send>,
}

impl Trap {
    /// After so many bytes of one side.
    pub fn after(side: Side, bytes: u64, act: impl FnOnce() + Send + 'static) -> Self {
        Self { side, left: bytes.max(1), waits: false, act: Box::new(act) }
    }

    /// Counted from the client's first command on that changes something.
    #[must_use]
    pub fn once_changing(mut self) -> Self {
        self.waits = true;
        self
    }

    /// Where in these bytes it springs.
    pub(super) fn place(&mut self, side: Side, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        if self.waits {
            if side != Side::Client {
                return None;
            }
            from = first_change(bytes)?;
            self.waits = false;
        }
        if side != self.side {
            return None;
        }
        let counted = (bytes.len() - from) as u64;
        if counted < self.left {
            self.left -= counted;
            return None;
        }
        Some(from + self.left as usize)
    }

    pub(super) fn into_act(self) -> Box<dyn FnOnce() + Send> {
        self.act
    }
}

impl fmt::Debug for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trap({:?}, {} bytes)", self.side, self.left)
    }
}

/// Where the line of the first command begins that changes something.
fn first_change(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let text = String::from_utf8_lossy(line);
        if CHANGING.iter().any(|word| text.contains(word)) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_springs_at_its_byte() {
        let mut trap = Trap::after(Side::Client, 5, || ()).once_changing();
        assert_eq!(trap.place(Side::Client, b"a LOGIN x y\r\n"), None);
        assert_eq!(trap.place(Side::Server, b"a OK\r\n"), None);
        assert_eq!(trap.place(Side::Client, b"b NOOP\r\nc UID STORE 1 x\r\n"), Some(8 + 5));
        let mut trap = Trap::after(Side::Server, 5, || ());
        assert_eq!(trap.place(Side::Server, b"* OK"), None);
        assert_eq!(trap.place(Side::Server, b" hello"), Some(1));
    }
}
