//! The archive itself: POSIX ustar within gzip, as `tar tzf` lists it. Plain files only, one after the other.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};

const BLOCK: usize = 512;
const NAME_BYTES_MAX: usize = 100;
/// What may follow the end of the files: programs fill their last record. Unit: octets.
const FILLING_MAX: u64 = 64 * 1024;
/// Eleven octal digits.
const SIZE_MAX: u64 = 0o77_777_777_777;

pub(super) struct Packer<W: Write> {
    to: GzEncoder<W>,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(to: W) -> Self {
        // Nobody waits for the last percent; calls wait for the processor.
        Self { to: GzEncoder::new(to, Compression::fast()) }
    }

    /// These octets packed, whatever they are.
    pub(super) fn raw(to: W, bytes: &[u8]) -> io::Result<W> {
        let mut packer = Self::new(to);
        packer.to.write_all(bytes)?;
        packer.to.finish()
    }

    /// Appends a file of exactly this size.
    pub(super) fn append(&mut self, name: &str, size: u64, from: impl Read) -> io::Result<()> {
        self.to.write_all(&head(name, size)?)?;
        let written = io::copy(&mut from.take(size), &mut self.to)?;
        if written != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.to.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Two empty blocks end the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.finish()
    }
}

pub(super) struct Archive<R: Read> {
    from: GzDecoder<R>,
    /// Of the present file.
    padding: usize,
}

/// The next file of an archive; it is to be read to its end.
pub(super) struct Entry<'a, R: Read> {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) content: io::Take<&'a mut GzDecoder<R>>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: GzDecoder::new(from), padding: 0 }
    }

    /// `None` at the end, which the checksum of gzip has then been compared for.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry<'_, R>>> {
        let mut block = [0; BLOCK];
        self.from.read_exact(&mut block[..self.padding])?;
        self.from.read_exact(&mut block)?;
        if block.iter().all(|it| *it == 0) {
            let filling = io::copy(&mut self.from.by_ref().take(FILLING_MAX), &mut io::sink())?;
            // A few octets of gzip are as many blanks as one likes: nobody reads them all.
            return if filling < FILLING_MAX { Ok(None) } else { Err(invalid("it does not end")) };
        }
        let (name, size) = read_head(&block).ok_or_else(|| invalid("a head that is none"))?;
        self.padding = padding(size);
        Ok(Some(Entry { name, size, content: self.from.by_ref().take(size) }))
    }
}

/// What fills the last block of a file.
fn padding(size: u64) -> usize {
    let over = size % BLOCK as u64;
    // Less than a block.
    usize::try_from(over).map_or(0, |over| (BLOCK - over) % BLOCK)
}

fn head(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() >= NAME_BYTES_MAX || size > SIZE_MAX {
        return Err(invalid("a file too long for an archive"));
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The checksum is taken with blanks in its place.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = sum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Name and size of a plain file; `None` for anything else.
fn read_head(block: &[u8; BLOCK]) -> Option<(String, u64)> {
    let octal = |at: usize, length: usize| {
        let text = std::str::from_utf8(block.get(at..at + length)?).ok()?;
        u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
    };
    let mut plain = *block;
    plain[148..156].fill(b' ');
    let is_plain = block[257..262] == *b"ustar" && block[156] == b'0';
    if !is_plain || octal(148, 8)? != u64::from(sum(&plain)) {
        return None;
    }
    let name = block[..NAME_BYTES_MAX].split(|it| *it == 0).next()?;
    Some((String::from_utf8(name.to_vec()).ok()?, octal(124, 12)?))
}

fn sum(block: &[u8; BLOCK]) -> u32 {
    block.iter().map(|it| u32::from(*it)).sum()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_comes_behind_the_end_is_not_read_for_ever() {
        for (behind, ends) in [(10 * 1024, true), (10 * 1024 * 1024, false)] {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&vec![0; BLOCK + behind]).unwrap();
            let packed = packed.finish().unwrap();
            assert_eq!(Archive::new(&*packed).next().is_ok(), ends, "{behind}");
        }
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let files: [(&str, &[u8]); 3] = [("a", b""), ("certs/b", &[7; 512]), ("c", b"hello")];
        let mut packer = Packer::new(Vec::new());
        for (name, content) in files {
            packer.append(name, content.len() as u64, content).unwrap();
        }
        let packed = packer.finish().unwrap();
        let mut archive = Archive::new(&*packed);
        for (name, content) in files {
            let mut entry = archive.next().unwrap().unwrap();
            let mut read = vec![];
            entry.content.read_to_end(&mut read).unwrap();
            assert_eq!((&*entry.name, entry.size, &*read), (name, content.len() as u64, content));
        }
        assert!(archive.next().unwrap().is_none());
        for cut in [10, packed.len() / 2, packed.len() - 1] {
            let mut archive = Archive::new(&packed[..cut]);
            let end = loop {
                match archive.next() {
                    Ok(Some(mut entry)) => {
                        if let Err(error) = io::copy(&mut entry.content, &mut io::sink()) {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert!(end.is_err(), "cut at {cut}");
        }
    }
}
