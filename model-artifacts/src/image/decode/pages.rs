//! The pages of a TIFF, of which one is the image.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::Directory;
use tiff::decoder::Decoder;
use tiff::tags::{IfdPointer, PhotometricInterpretation, Tag};
use tiff::{TiffFormatError, TiffResult};

use super::refusal::{SAVE_OTHERWISE, refuse, unusable_tiff};
use crate::error::ArtifactError;

/// Largest number of pages that is counted.
const MAX_PAGES: usize = 64;
/// Largest number of entries of a directory; ordinary ones have less than fifty. Each takes time to read.
const MAX_ENTRIES: usize = 4096;
/// Largest number of pages whose sizes a message names.
const MAX_NAMED: usize = 4;

/// Bits of `NewSubfileType`: a smaller version of another page, and a mask for one (TIFF 6.0, section 8).
const REDUCED_BIT: u32 = 1;
const MASK_BIT: u32 = 4;
/// The value of the older `SubfileType` for a smaller version of another page.
const REDUCED: u16 = 2;

/// One page.
struct Page {
    /// Where its directory is in the file.
    directory: IfdPointer,
    width: u32,
    height: u32,
    /// Samples per pixel.
    channels: u16,
    /// Whether it is a smaller version of another page, such as a thumbnail.
    is_reduced: bool,
    /// Whether it is a mask for another page.
    is_mask: bool,
    photometric: Option<u16>,
}

/// The file with its only full page as the first one, which is what decoders read. Smaller versions of it and
/// masks are passed over, as their tags ask for. A smaller version without another page is the image.
///
/// # Errors
/// [`ArtifactError::Image`] if there are several full pages, of which none may be left out, if the page's
/// colours are not supported, or if the file is damaged.
pub(super) fn with_image_first(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ArtifactError> {
    let pages = read(bytes).map_err(unusable_tiff)?;
    let mut images: Vec<&Page> = pages.iter().filter(|page| !page.is_mask).collect();
    if images.iter().any(|page| !page.is_reduced) {
        images.retain(|page| !page.is_reduced);
    }
    let page = match images[..] {
        [] => return Ok(bytes.into()),
        [page] => page,
        _ => return Err(refuse_several(&images)),
    };
    check_colours(page)?;
    let is_first = pages.first().map(|first| first.directory) == Some(page.directory);
    Ok(if is_first {
        bytes.into()
    } else {
        starting_at(bytes, page.directory).into()
    })
}

fn read(bytes: &[u8]) -> TiffResult<Vec<Page>> {
    let mut decoder = Decoder::new(Cursor::new(bytes))?;
    let mut next = decoder.ifd_pointer();
    let mut pages: Vec<Page> = Vec::new();
    while let Some(pointer) = next.filter(|_| pages.len() < MAX_PAGES) {
        if pages.iter().any(|page| page.directory == pointer) {
            return Err(TiffFormatError::CycleInOffsets.into());
        }
        let directory = decoder.read_directory(pointer)?;
        if directory.len() > MAX_ENTRIES {
            return Err(TiffFormatError::InvalidTag.into());
        }
        next = directory.next();
        pages.push(Page::read(&mut decoder, pointer, &directory)?);
    }
    Ok(pages)
}

impl Page {
    fn read(
        decoder: &mut Decoder<Cursor<&[u8]>>,
        pointer: IfdPointer,
        directory: &Directory,
    ) -> TiffResult<Self> {
        let mut tags = decoder.read_directory_tags(directory);
        let kind: u32 = tags
            .find_tag_unsigned(Tag::NewSubfileType)?
            .unwrap_or_default();
        let old_kind: Option<u16> = tags.find_tag_unsigned(Tag::SubfileType)?;
        Ok(Self {
            directory: pointer,
            width: tags.find_tag_unsigned(Tag::ImageWidth)?.unwrap_or_default(),
            height: tags
                .find_tag_unsigned(Tag::ImageLength)?
                .unwrap_or_default(),
            channels: tags.find_tag_unsigned(Tag::SamplesPerPixel)?.unwrap_or(1),
            is_reduced: kind & REDUCED_BIT != 0 || old_kind == Some(REDUCED),
            is_mask: kind & MASK_BIT != 0,
            photometric: tags.find_tag_unsigned(Tag::PhotometricInterpretation)?,
        })
    }
}

fn refuse_several(pages: &[&Page]) -> ArtifactError {
    let sizes: Vec<String> = pages
        .iter()
        .take(MAX_NAMED)
        .map(|page| format!("{} × {}", page.width, page.height))
        .collect();
    let sizes = sizes.join(", ");
    let more = if pages.len() > MAX_NAMED { " …" } else { "" };
    let count = pages.len();
    let first = pages[0];
    let is_of_channels = count <= MAX_NAMED
        && pages.iter().all(|page| {
            page.channels == 1 && (page.width, page.height) == (first.width, first.height)
        });
    if is_of_channels {
        return refuse(
            format!("it has {count} pages of one channel each ({sizes})"),
            "save it as one RGB image or, if they are different fields, each page as a file of its own",
        );
    }
    refuse(
        format!("it has {count} pages ({sizes}{more})"),
        "save each page as a file of its own",
    )
}

fn check_colours(page: &Page) -> Result<(), ArtifactError> {
    let colours = match page
        .photometric
        .and_then(PhotometricInterpretation::from_u16)
    {
        Some(PhotometricInterpretation::RGBPalette) => "a colour palette is",
        Some(PhotometricInterpretation::YCbCr) => {
            "YCbCr colours, as in a TIFF with JPEG compression, are"
        }
        Some(PhotometricInterpretation::CIELab) => "L*a*b* colours are",
        _ => return Ok(()),
    };
    Err(refuse(
        format!("{colours} not supported in TIFF"),
        SAVE_OTHERWISE,
    ))
}

/// A copy of the file whose header points to another first directory.
fn starting_at(bytes: &[u8], directory: IfdPointer) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    let is_little_endian = bytes.starts_with(b"II");
    let is_big_tiff = bytes.get(2..4) == Some(&[43, 0]) || bytes.get(2..4) == Some(&[0, 43]);
    let mut pointer = directory.0.to_be_bytes().to_vec();
    let range = if is_big_tiff { 8..16 } else { 4..8 };
    pointer.drain(..8 - range.len());
    if is_little_endian {
        pointer.reverse();
    }
    if let Some(header) = copy.get_mut(range) {
        header.copy_from_slice(&pointer);
    }
    copy
}
