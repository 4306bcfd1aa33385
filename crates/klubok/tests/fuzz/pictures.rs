//! Picture files of every format that data folders, `predict` and the page accept.

use std::io::Cursor;

use image::{
    DynamicImage, Frame, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, png::PngEncoder},
};
use klubok::{config::Fit, data::picture_from_bytes, plan::Picture};
use klubok_fuzz::fuzz;

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Tiff,
];

/// Number of pixels above which a picture is decoded only once.
const LARGE_PICTURE: usize = 1 << 18;

/// Makes tiny files of each format, in colour, with alpha and in 16-bit grey, and some with the
/// most error-prone features: profiles, EXIF, animation.
fn seeds() -> Vec<Vec<u8>> {
    let colour = RgbImage::from_fn(13, 9, |x, y| Rgb([x as u8 * 19, y as u8 * 28, 90]));
    let mut alpha = RgbaImage::from_pixel(5, 4, Rgba([200, 100, 0, 0]));
    alpha.put_pixel(1, 1, Rgba([0, 100, 255, 51]));
    let grey = DynamicImage::from(colour.clone()).into_luma16();
    let pictures: [DynamicImage; 3] = [colour.into(), alpha.clone().into(), grey.into()];
    let encoded = |picture: &DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).ok().map(|()| bytes.into_inner())
    };
    let all = FORMATS.into_iter().flat_map(|format| pictures.iter().map(move |p| (p, format)));
    let mut seeds: Vec<_> = all.filter_map(|(picture, format)| encoded(picture, format)).collect();

    let jpeg = seeds[0].clone();
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let profile = b"\xff\xe2\x00\x14ICC_PROFILE\0\x01\x01abcd";
    seeds.push([&jpeg[..2], exif, profile, &jpeg[2..]].concat());
    seeds.push(
        b"GIF89a\xc8\0\xc8\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;"
            .into(),
    );
    let mut animation = Vec::new();
    let mut encoder = GifEncoder::new(&mut animation);
    (0..3).for_each(|_| encoder.encode_frame(Frame::new(alpha.clone())).unwrap());
    drop(encoder);
    seeds.push(animation);
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(vec![7; 300]).unwrap();
    encoder.write_image(&alpha, 5, 4, image::ExtendedColorType::Rgba8).unwrap();
    seeds.push(png);
    seeds
}

#[test]
fn pictures() {
    let words: [&[u8]; 24] = [
        b"\xff\xc0",
        b"\xff\xc2",
        b"\xff\xc4",
        b"\xff\xd0",
        b"\xff\xd9",
        b"\xff\xda",
        b"\xff\xdc",
        b"\xff\xff",
        b"IHDR",
        b"PLTE",
        b"tRNS",
        b"iCCP",
        b"acTL",
        b"eXIf",
        b"VP8 ",
        b"VP8L",
        b"VP8X",
        b"ALPH",
        b"ANMF",
        b"EXIF",
        b"\x21\xf9\x04",
        b",\0\0\0\0",
        b"II*\0",
        b"MM\0*",
    ];
    let shapes = [1, 3].map(|channels| Picture { width: 6, height: 5, channels });
    fuzz("pictures", &seeds(), &words, |bytes| {
        let size = klubok_pictures::size(&mut Cursor::new(bytes));
        for shape in shapes {
            let Ok(picture) = klubok_pictures::decode(bytes, shape.channels) else { continue };
            let (width, height) = (picture.width, picture.height);
            assert_eq!(picture.pixels.len(), width * height * shape.channels);
            let same = |size: [u32; 2]| size.map(|side| side as usize) == [width, height];
            assert!(size.is_none_or(same), "{size:?} in the head, {width}x{height} when decoded");
            drop(picture);
            // Decoding a hundred megapixels takes a second, too long to repeat.
            if width * height > LARGE_PICTURE {
                return;
            }
            for fit in [Fit::Squash, Fit::Crop, Fit::Pad] {
                let pixels = picture_from_bytes("a", bytes, shape, fit).unwrap();
                assert_eq!(pixels.len(), shape.values());
            }
        }
    });
}
