//! Octets that cross in one copy. uniffi's own `Vec<u8>` crosses octet by octet.

use uniffi::deps::anyhow::{Result, bail};
use uniffi::{FfiConverter, MetadataBuffer, RustBuffer, TypeId};

use crate::UniFfiTag;

/// Octets. The other languages see their own type of them: `ByteArray`, `Data`, `bytes`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({} octets)", self.0.len())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(octets: Vec<u8>) -> Bytes {
        Bytes(octets)
    }
}

/// What uniffi counts the octets of a buffer with.
const COUNT: usize = 4;

// SAFETY: the buffers are those of `Vec<u8>`, whose metadata is used: a count of 32 bits, big-endian, and the octets.
unsafe impl FfiConverter<UniFfiTag> for Bytes {
    type FfiType = RustBuffer;

    fn lower(octets: Bytes) -> RustBuffer {
        let mut out = Vec::with_capacity(COUNT + octets.0.len());
        <Bytes as FfiConverter<UniFfiTag>>::write(octets, &mut out);
        RustBuffer::from_vec(out)
    }

    fn try_lift(buffer: RustBuffer) -> Result<Bytes> {
        let mut octets = buffer.destroy_into_vec();
        let count = read_count(&octets)?;
        if octets.len() != COUNT + count {
            bail!("{} octets where {count} are announced", octets.len() - COUNT);
        }
        octets.drain(..COUNT);
        Ok(Bytes(octets))
    }

    fn write(octets: Bytes, out: &mut Vec<u8>) {
        // Other languages count with 31 bits. What is longer is cut by whoever offers it, see `Engine::body`.
        let count = octets.0.len().min(i32::MAX as usize);
        out.extend_from_slice(&(count as u32).to_be_bytes());
        out.extend_from_slice(&octets.0[..count]);
    }

    fn try_read(from: &mut &[u8]) -> Result<Bytes> {
        let count = read_count(from)?;
        let Some((octets, rest)) = from[COUNT..].split_at_checked(count) else {
            bail!("{} octets where {count} are announced", from.len() - COUNT);
        };
        *from = rest;
        Ok(Bytes(octets.to_vec()))
    }

    const TYPE_ID_META: MetadataBuffer = <Vec<u8> as TypeId<UniFfiTag>>::TYPE_ID_META;
}

fn read_count(from: &[u8]) -> Result<usize> {
    match from.first_chunk::<COUNT>() {
        Some(count) => Ok(usize::try_from(i32::from_be_bytes(*count))?),
        None => bail!("a buffer of {} octets", from.len()),
    }
}

uniffi::derive_ffi_traits!(local Bytes);

#[cfg(test)]
mod tests {
    use super::*;
    use uniffi::{Lift, Lower};

    fn there_and_back(octets: &[u8]) {
        let bytes = Bytes(octets.to_vec());
        let lowered = <Bytes as Lower<UniFfiTag>>::lower(bytes.clone());
        let theirs = <Vec<u8> as Lift<UniFfiTag>>::try_lift(lowered).expect("it reads like a Vec");
        assert_eq!(theirs, octets);
        let lowered = <Vec<u8> as Lower<UniFfiTag>>::lower(theirs);
        assert_eq!(<Bytes as Lift<UniFfiTag>>::try_lift(lowered).expect("a Vec reads like it"), bytes);
    }

    #[test]
    fn they_cross_as_a_vec_does() {
        there_and_back(b"");
        there_and_back(b"a\0\xff");
        there_and_back(&vec![7; 100_000]);
    }

    #[test]
    fn within_something_else_they_leave_the_rest() {
        let mut out = Vec::new();
        <Bytes as Lower<UniFfiTag>>::write(Bytes(vec![1, 2]), &mut out);
        <Bytes as Lower<UniFfiTag>>::write(Bytes(vec![3]), &mut out);
        let mut from = out.as_slice();
        assert_eq!(<Bytes as Lift<UniFfiTag>>::try_read(&mut from).expect("whole").0, [1, 2]);
        assert_eq!(<Bytes as Lift<UniFfiTag>>::try_read(&mut from).expect("whole").0, [3]);
        assert!(from.is_empty());
    }

    #[test]
    fn cut_or_negative_counts_are_refused() {
        for mut bad in [&[0, 0][..], &[0, 0, 0, 2, 1], &[255, 255, 255, 255, 1]] {
            let buffer = RustBuffer::from_vec(bad.to_vec());
            assert!(<Bytes as Lift<UniFfiTag>>::try_lift(buffer).is_err(), "{bad:?}");
            assert!(<Bytes as Lift<UniFfiTag>>::try_read(&mut bad).is_err(), "{bad:?}");
        }
        let buffer = RustBuffer::from_vec(vec![0, 0, 0, 1, 1, 2]);
        assert!(<Bytes as Lift<UniFfiTag>>::try_lift(buffer).is_err(), "more than announced");
    }
}
