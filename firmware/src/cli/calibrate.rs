//! `smearscope calibrate`: measures the light and the scale of the camera.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use smearscope_artifacts::decode::{self, Picture};
use smearscope_hardware::sim::Panel;
use smearscope_hardware::{CaptureSettings, Frame, Pixels};

use crate::analysis::analyst::{Analyst, picture};
use crate::calibration::{
    Calibration, CalibrationInUse, Calibrations, LightCalibration, ScaleCalibration, Setup, Turn,
};
use crate::cli::args::{BoardArgs, FileArgs, StateArgs, storage, stored};
use crate::cli::board;
use crate::cli::exit::{Exit, Failure};
use crate::config::{BoardKind, Config};
use crate::models::Models;
use crate::system::logging;

/// Measure the light and the scale of the camera, once for each objective.
///
/// The light makes pictures even and neutral before they are judged; the scale tells how large cells are. Both hold for one
/// camera, one objective (`camera.objective`) and one size of the pictures. The recorded pictures stay as they are, and
/// the calibration is recorded with them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example, with the service stopped (sudo systemctl stop smearscope), because it holds the camera:\n  \
    smearscope calibrate light                       on a place of the slide without cells, in focus\n  \
    smearscope calibrate picture micrometer.jpg      of a stage micrometer; look up two lines in it\n  \
    smearscope calibrate scale --um 500 --from 212,960 --to 2310,968\n  \
    smearscope calibrate scale --red-cells           or without a micrometer, on a field with many red cells\n  \
    smearscope calibrate list"
)]
pub(crate) struct CalibrateArgs {
    #[command(subcommand)]
    command: CalibrateCommand,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Debug, Subcommand)]
enum CalibrateCommand {
    /// Measure the light on an empty field: shading and white balance.
    Light(LightArgs),
    /// Measure the scale between two points of a stage micrometer, or by red cells.
    Scale(ScaleArgs),
    /// Take a picture, to look up points of a stage micrometer.
    Picture(PictureArgs),
    /// List the calibrations.
    List(ListArgs),
    /// Remove the calibration of the camera with this objective.
    Clear(SetupArgs),
}

/// The camera and where calibrations are kept.
#[derive(Debug, Args)]
struct SetupArgs {
    #[command(flatten)]
    board: BoardArgs,
    /// Objective before the camera [default: camera.objective of the configuration].
    #[arg(long, value_name = "NAME")]
    objective: Option<String>,
}

#[derive(Debug, Args)]
struct LightArgs {
    /// Picture of an empty field, instead of taking one; only for the simulated camera.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    setup: SetupArgs,
}

#[derive(Debug, Args)]
struct ScaleArgs {
    #[command(flatten)]
    points: Option<PointsArgs>,
    /// Take the median diameter of the red cells of a field for 7.2 µm; needs a model that counts cells and has a ruler.
    #[arg(
        long,
        conflicts_with = "PointsArgs",
        required_unless_present = "PointsArgs"
    )]
    red_cells: bool,
    /// The picture with the points, for its size, or with the red cells, instead of taking one; only for the simulated
    /// camera.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    setup: SetupArgs,
}

/// Two points of a stage micrometer.
#[derive(Debug, Args)]
struct PointsArgs {
    /// Distance of the two points, µm.
    #[arg(long, value_name = "UM")]
    um: f64,
    /// A point in pixels, from the upper left corner.
    #[arg(long, value_name = "X,Y", value_parser = point)]
    from: [f64; 2],
    /// The other point.
    #[arg(long, value_name = "X,Y", value_parser = point)]
    to: [f64; 2],
}

#[derive(Debug, Args)]
struct PictureArgs {
    /// File to write: as the camera delivers it, usually a JPEG; raw pictures become a PNG.
    file: PathBuf,
    #[command(flatten)]
    setup: SetupArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: StateArgs,
}

impl CalibrateArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { command, file } = self;
        let out = &mut std::io::stdout().lock();
        match command {
            CalibrateCommand::Light(LightArgs { image, setup }) => {
                let bench = Bench::open(&file, &setup)?;
                light(&bench, image.as_deref(), out)?;
            }
            CalibrateCommand::Scale(args) => {
                let bench = Bench::open(&file, &args.setup)?;
                scale(&bench, &args, out)?;
            }
            CalibrateCommand::Picture(PictureArgs { file: path, setup }) => {
                save_picture(&Bench::open(&file, &setup)?, &path, out)?;
            }
            CalibrateCommand::List(ListArgs { json, state }) => {
                let state = storage(&file, &state)?.state;
                list(&state, json, out)?;
            }
            CalibrateCommand::Clear(setup) => clear(&Bench::open(&file, &setup)?, out)?,
        }
        Ok(Exit::Success)
    }
}

/// The configured camera, and the calibrations.
struct Bench {
    config: Config,
    state: PathBuf,
    calibration: CalibrationInUse,
}

impl Bench {
    fn open(file: &FileArgs, args: &SetupArgs) -> Result<Self, Failure> {
        let mut raw = args.board.apply(file.read()?);
        if let Some(objective) = &args.objective {
            raw.camera.objective.clone_from(objective);
        }
        let mut config = raw.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        if board::is_desktop(&config) {
            config.board = BoardKind::Sim;
        }
        let state = stored(config.state().map(Path::to_owned))?;
        let (_, setup) = board::build(&config, Panel::Lines).map_err(anyhow::Error::from)?;
        let calibrations = Calibrations::read(&state).map_err(anyhow::Error::from)?;
        let known = calibrations.of(&setup).cloned();
        Ok(Self {
            config,
            state,
            calibration: CalibrationInUse::new(setup, known),
        })
    }

    /// A picture from the camera, as it delivers it.
    fn capture(&self) -> Result<Frame> {
        let (board, _) = board::build(&self.config, Panel::Lines)?;
        board::capture(board.camera, self.config.timing.capture)
            .context("the camera took no picture; if the service runs, it holds the camera")
    }

    /// The picture of a file, or one from the camera.
    fn picture(&self, file: Option<&Path>) -> Result<(Picture, CaptureSettings)> {
        let limits = &self.config.limits;
        let Some(file) = file else {
            let Frame {
                pixels, settings, ..
            } = self.capture()?;
            return Ok((picture(pixels, limits)?, settings));
        };
        anyhow::ensure!(
            self.config.board == BoardKind::Sim,
            "{} does not tell of which camera it is, and with which white balance; leave --image out, so that the camera takes a \
             picture",
            file.display()
        );
        let pixels = Pixels::Encoded(decode::read_bytes(file, limits)?);
        Ok((picture(pixels, limits)?, CaptureSettings::default()))
    }

    fn keep(
        &self,
        size: (u32, u32),
        settings: &CaptureSettings,
        change: impl FnOnce(&mut Calibration),
        out: &mut impl Write,
    ) -> Result<()> {
        let turn = self.turn()?;
        let known = (self.calibration).change(&turn, &self.state, size, settings, change)?;
        let words = known.words(Timestamp::now());
        writeln!(out, "{}: {words}", known.setup.camera)?;
        writeln!(out, "The appliance uses it from its next start on.")?;
        Ok(())
    }

    /// The model in use.
    fn analyst(&self) -> Result<Analyst> {
        self.config.engine.set_stick_library_path();
        let model = Models::new(&self.config).load_current()?;
        Ok(Analyst::new(model, self.config.limits))
    }

    fn turn(&self) -> Result<Turn> {
        self.calibration.turn().context("it is being calibrated")
    }
}

fn light(bench: &Bench, file: Option<&Path>, out: &mut impl Write) -> Result<()> {
    let (empty, settings) = bench.picture(file)?;
    let light = LightCalibration::measure(&empty.image, &settings)?;
    let factors = light.flat_field.white_balance();
    let [red, green, blue] = light.flat_field.evenness().map(|light| 100.0 * light);
    writeln!(
        out,
        "The darkest place has {red:.0} % (red), {green:.0} % (green) and {blue:.0} % (blue) of the light of the brightest. \
         In the middle, red is multiplied by {:.2} and blue by {:.2}.",
        factors[0], factors[2]
    )?;
    let keep = |known: &mut Calibration| known.light = Some(light);
    bench.keep(empty.original_size, &settings, keep, out)
}

fn scale(bench: &Bench, args: &ScaleArgs, out: &mut impl Write) -> Result<()> {
    let (mut picture, settings) = bench.picture(args.image.as_deref())?;
    let size = picture.original_size;
    let scale = if let Some(PointsArgs { um, from, to }) = &args.points {
        ScaleCalibration::measure(*from, *to, *um, size)?
    } else {
        bench.calibration.correct(&mut picture, &settings)?;
        ScaleCalibration::by_red_cells(bench.analyst()?.measure_scale(&picture)?)
    };
    bench.keep(size, &settings, |known| known.scale = Some(scale), out)
}

fn save_picture(bench: &Bench, path: &Path, out: &mut impl Write) -> Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    match bench.capture()?.pixels {
        Pixels::Encoded(bytes) => fs::write(path, bytes).with_context(failed)?,
        raw @ Pixels::Rgb8 { .. } => picture(raw, &bench.config.limits)?
            .image
            .save_with_format(path, image::ImageFormat::Png)
            .with_context(failed)?,
    }
    writeln!(out, "{}", path.display())?;
    Ok(())
}

fn list(state: &Path, json: bool, out: &mut impl Write) -> Result<()> {
    let calibrations = Calibrations::read(state)?;
    if json {
        writeln!(out, "{}", serde_json::to_string(calibrations.all())?)?;
        return Ok(());
    }
    if calibrations.all().is_empty() {
        writeln!(out, "no calibrations in {}", state.display())?;
    }
    let now = Timestamp::now();
    for calibration in calibrations.all() {
        writeln!(
            out,
            "{}: {}",
            calibration.setup.camera,
            calibration.words(now)
        )?;
    }
    Ok(())
}

fn clear(bench: &Bench, out: &mut impl Write) -> Result<()> {
    let Setup { camera, objective } = bench.calibration.setup();
    anyhow::ensure!(
        bench.calibration.remove(&bench.turn()?, &bench.state)?,
        "there is no calibration of {camera} with objective {objective:?}"
    );
    writeln!(out, "removed the calibration of {camera}")?;
    Ok(())
}

/// A point such as `212,960`.
fn point(text: &str) -> Result<[f64; 2], String> {
    let point = text
        .split_once(',')
        .and_then(|(x, y)| Some([x.trim().parse().ok()?, y.trim().parse().ok()?]));
    point.ok_or_else(|| "must be two numbers of pixels, such as 212,960".into())
}
