//! Zeros that cameras insert in a JPEG between entropy-coded data and the next marker.
//!
//! Common USB cameras pad every restart interval, or the last one, so that frames are a multiple of some size. The
//! decoder then reports extraneous data, as it does where data was lost. Here the coefficients are counted (ITU-R
//! T.81, annex F), so that exactly the zeros after a complete interval are removed.

use turbojpeg::{Compressor, Image, PixelFormat};

const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;
const SOF2: u8 = 0xC2;
const DHT: u8 = 0xC4;
const RST0: u8 = 0xD0;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DRI: u8 = 0xDD;

/// Largest number of zero bytes at the end of an interval's data, if padding follows. More would be lost data
/// whose place the padding took: a decoder reads zeros as coefficients.
const MAX_ZEROS: usize = 2;

/// The file without padding; `None` if it is not a file with a single sequential scan, if an interval lacks data,
/// or if other bytes than zeros follow one.
pub(super) fn without_padding(jpeg: &[u8]) -> Option<Vec<u8>> {
    let scan = Scan::read(jpeg)?;
    let mut whole = Vec::with_capacity(jpeg.len());
    let (header, mut rest) = jpeg.split_at_checked(scan.start)?;
    whole.extend(header);
    let mut units_left = scan.units;
    for restart in (0..8).cycle() {
        let end = rest
            .windows(2)
            .position(|pair| pair[0] == 0xFF && pair[1] != 0)?;
        let (interval, next) = rest.split_at(end);
        let units = units_left.min(scan.units_per_interval);
        let (data, padding) = interval.split_at_checked(scan.length(interval, units)?)?;
        let zeros = data.iter().rev().take_while(|byte| **byte == 0).count();
        if padding.iter().any(|byte| *byte != 0) || (!padding.is_empty() && zeros > MAX_ZEROS) {
            return None;
        }
        units_left -= units;
        // Any number of fill bytes may precede a marker.
        let at = next.iter().position(|byte| *byte != 0xFF)?;
        let is_last = units_left == 0;
        let expected = if is_last { EOI } else { RST0 + restart };
        if next[at] != expected {
            return None;
        }
        whole.extend(data);
        whole.extend([0xFF, expected]);
        if is_last {
            return Some(whole);
        }
        rest = &next[at + 1..];
    }
    None
}

/// The only scan of a sequential JPEG.
struct Scan {
    /// Where its entropy-coded data begins.
    start: usize,
    /// Number of its minimum coded units (MCU).
    units: u64,
    units_per_interval: u64,
    /// Huffman tables of each block of a unit.
    blocks: Vec<[Huffman; 2]>,
}

impl Scan {
    fn read(jpeg: &[u8]) -> Option<Self> {
        let mut headers = Headers::read(jpeg)?;
        if headers.tables.iter().flatten().all(Option::is_none) {
            headers.tables = standard_tables()?;
        }
        let Headers {
            size: (width, height),
            components,
            tables,
            interval,
            selected,
            start,
        } = headers;
        let (across, down) = match components[..] {
            // A scan of one component is not interleaved: its unit is a block.
            [_] => (1, 1),
            _ => (
                components.iter().map(|one| one.across).max()?,
                components.iter().map(|one| one.down).max()?,
            ),
        };
        let mut blocks = Vec::new();
        for component in &components {
            let (_, tables_of_it) = selected.iter().find(|(id, _)| *id == component.id)?;
            let pair = [
                tables[0].get(usize::from(tables_of_it >> 4))?.clone()?,
                tables[1].get(usize::from(tables_of_it & 15))?.clone()?,
            ];
            let count = match components.len() {
                1 => 1,
                _ => usize::from(component.across) * usize::from(component.down),
            };
            blocks.extend(std::iter::repeat_n(pair, count));
        }
        let units_along =
            |pixels: u16, blocks: u8| u64::from(pixels.div_ceil(8 * u16::from(blocks)));
        let units = units_along(width, across) * units_along(height, down);
        Some(Self {
            start,
            units,
            units_per_interval: match interval {
                0 => units,
                interval => interval.into(),
            },
            blocks,
        })
    }

    /// Number of bytes that hold the coefficients of the first `units` units; `None` if the data ends before.
    fn length(&self, data: &[u8], units: u64) -> Option<usize> {
        let mut bits = Bits::new(data);
        for _ in 0..units {
            for [dc, ac] in &self.blocks {
                let size = dc.next(&mut bits)?;
                bits.skip(size)?;
                let mut coefficient = 1;
                while coefficient < 64 {
                    let symbol = ac.next(&mut bits)?;
                    let (run, size) = (symbol >> 4, symbol & 15);
                    match (run, size) {
                        // End of block.
                        (0..15, 0) => break,
                        _ => coefficient += u32::from(run) + 1,
                    }
                    bits.skip(size)?;
                }
                if coefficient > 64 {
                    return None;
                }
            }
        }
        Some(bits.bytes_read())
    }
}

/// Huffman tables by class (0: DC, 1: AC) and destination.
type Tables = [[Option<Huffman>; 4]; 2];

/// What the segments before the first scan say.
#[derive(Default)]
struct Headers {
    size: (u16, u16),
    components: Vec<Component>,
    tables: Tables,
    /// Units of a restart interval; 0 without restarts.
    interval: u16,
    /// Each component of the scan, with the destinations of its tables.
    selected: Vec<(u8, u8)>,
    /// Where the scan's data begins.
    start: usize,
}

struct Component {
    id: u8,
    /// Blocks of a unit along each axis.
    across: u8,
    down: u8,
}

impl Headers {
    fn read(jpeg: &[u8]) -> Option<Self> {
        let mut headers = Self::default();
        let mut at = 2;
        loop {
            at += jpeg.get(at..)?.iter().position(|byte| *byte != 0xFF)?;
            let marker = jpeg[at];
            let length = usize::from(word(jpeg.get(at + 1..at + 3)?));
            let segment = jpeg.get(at + 3..at + 1 + length)?;
            at += 1 + length;
            match marker {
                SOF0 | SOF1 => headers.read_frame(segment)?,
                // Not sequential with Huffman coding.
                SOF2..=0xCF if marker != DHT => return None,
                DHT => headers.read_tables(segment)?,
                DRI => headers.interval = word(segment.get(..2)?),
                SOS => {
                    let (_, components) = segment.split_first()?;
                    let (pairs, _) = components.as_chunks::<2>();
                    let pairs = pairs.get(..usize::from(segment[0]))?;
                    headers.selected = pairs.iter().map(|[id, tables]| (*id, *tables)).collect();
                    headers.start = at;
                    return Some(headers);
                }
                _ => {}
            }
        }
    }

    /// Precision, height, width, number of components, three bytes per component (B.2.2).
    fn read_frame(&mut self, segment: &[u8]) -> Option<()> {
        let (fixed, components) = segment.split_at_checked(6)?;
        self.size = (word(&fixed[3..5]), word(&fixed[1..3]));
        let (components, _) = components.as_chunks::<3>();
        self.components = components
            .get(..usize::from(fixed[5]))?
            .iter()
            .map(|[id, sampling, _]| Component {
                id: *id,
                across: sampling >> 4,
                down: sampling & 15,
            })
            .collect();
        let is_valid = |component: &Component| {
            (1..=4).contains(&component.across) && (1..=4).contains(&component.down)
        };
        self.components.iter().all(is_valid).then_some(())
    }

    /// Class and destination, 16 numbers of codes, symbols; several times (B.2.4.2).
    fn read_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((place, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            let tables = self.tables.get_mut(usize::from(place >> 4))?;
            *tables.get_mut(usize::from(place & 15))? = Some(Huffman {
                counts: *counts,
                symbols: symbols.to_vec(),
            });
            segment = rest;
        }
        Some(())
    }
}

/// The tables of T.81, annex K, which frames of cameras rely on without containing them. The encoder writes them
/// into every file.
fn standard_tables() -> Option<Tables> {
    let pixels = [0_u8; 16 * 16 * 3];
    let image = Image {
        pixels: pixels.as_slice(),
        width: 16,
        pitch: 16 * 3,
        height: 16,
        format: PixelFormat::RGB,
    };
    let file = Compressor::new().ok()?.compress_to_vec(image).ok()?;
    Some(Headers::read(&file)?.tables)
}

fn word(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// A Huffman table.
#[derive(Clone)]
struct Huffman {
    /// Number of codes of each length, from 1 bit on.
    counts: [u8; 16],
    /// The symbols of the codes, in their order.
    symbols: Vec<u8>,
}

impl Huffman {
    /// Reads a symbol (F.2.2.3).
    fn next(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in self.counts.map(u32::from) {
            code = (code << 1) | u32::from(bits.next()?);
            let offset = code.checked_sub(first)?;
            if offset < count {
                return self.symbols.get((index + offset) as usize).copied();
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }
}

/// Reads entropy-coded data bit by bit.
struct Bits<'a> {
    data: &'a [u8],
    /// The current byte, and how many of its bits are read.
    at: usize,
    read: u8,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            read: 0,
        }
    }

    fn next(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.at)?;
        self.read += 1;
        let bit = byte >> (8 - self.read) & 1 == 1;
        if self.read == 8 {
            self.read = 0;
            self.at += with_stuffing(byte);
        }
        Some(bit)
    }

    fn skip(&mut self, count: u8) -> Option<()> {
        (0..count).try_for_each(|_| self.next().map(drop))
    }

    /// The bytes of which bits are read.
    fn bytes_read(&self) -> usize {
        match self.data.get(self.at) {
            Some(byte) if self.read > 0 => self.at + with_stuffing(*byte),
            _ => self.at,
        }
    }
}

/// Length of a byte with the zero that is stuffed after 0xFF.
fn with_stuffing(byte: u8) -> usize {
    1 + usize::from(byte == 0xFF)
}
