//! Converts raw frames to RGB.

/// RGB of `rows` in YUYV: two pixels in four bytes, luma, blue chroma, luma, red chroma, in the limited range of ITU-R
/// BT.601.
pub(super) fn to_rgb<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    rows.flat_map(|row| row.chunks_exact(4))
        .flat_map(|pair| {
            let [first, blue, second, red] = [pair[0], pair[1], pair[2], pair[3]].map(i32::from);
            let (blue, red) = (blue - 128, red - 128);
            [first, second].map(|luma| rgb(luma - 16, blue, red))
        })
        .flatten()
        .collect()
}

/// The coefficients of the recommendation, times 65,536.
fn rgb(luma: i32, blue: i32, red: i32) -> [u8; 3] {
    let scaled = 76_309 * luma + 32_768;
    [
        scaled + 104_597 * red,
        scaled - 25_675 * blue - 53_279 * red,
        scaled + 132_201 * blue,
    ]
    .map(|sample| (sample >> 16).clamp(0, 255) as u8)
}
