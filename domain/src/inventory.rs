//! What a machine says about its GPUs, and whether that is what it should have.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::health::Blocks;

/// What [`parse`] reads: the fields to ask `nvidia-smi` for, with
/// `--format=csv,noheader,nounits`.
pub const QUERY: &str = "index,uuid,name,driver_version,memory.total,\
    ecc.errors.uncorrected.volatile.total,temperature.gpu";

/// From here on GPUs of data centres throttle themselves.
const HOT_CELSIUS: u32 = 90;
/// Xid errors after which a GPU gives no sound results until it is reset (NVIDIA, "Xid Errors").
const FATAL_XIDS: &[u32] = &[48, 64, 74, 79, 95, 119, 120, 140];

/// One GPU as `nvidia-smi` reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// `/dev/nvidia<index>`.
    pub index: u32,
    /// `GPU-` and a UUID.
    pub uuid: String,
    pub model: String,
    pub driver_version: String,
    pub memory_mib: u64,
    /// Since the driver was loaded; `None` where the GPU does not count them.
    pub ecc_uncorrected_errors: Option<u64>,
    pub temperature_celsius: Option<u32>,
}

/// The output was not what [`QUERY`] asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the GPU inventory cannot be read: {field}")]
pub struct UnreadableInventory {
    /// From 1.
    pub line: usize,
    pub field: &'static str,
}

/// Something about a machine that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub code: FindingCode,
    /// The one GPU that it is about; `None`: the whole machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_index: Option<u32>,
    /// For operators; no secret, nothing from outside that is not quoted by its type.
    pub detail: String,
}

/// Stable codes; also the reason a node is quarantined for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingCode {
    /// `nvidia-smi` is not there or does not answer.
    DriverUnavailable,
    InventoryUnreadable,
    GpuMissing,
    GpuUnexpected,
    WrongModel,
    WrongDriver,
    EccErrors,
    /// The driver reported an error after which a GPU has to be reset.
    XidErrors,
    /// It was started anew: what was set up for tenants' sessions is gone.
    Rebooted,
    TooHot,
    DiskFull,
    /// Something of an allocation was still there after its removal.
    LeftBehind,
}

impl FindingCode {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it stands in the way of.
    pub fn blocks(self) -> Blocks {
        match self {
            Self::DriverUnavailable
            | Self::InventoryUnreadable
            | Self::GpuMissing
            | Self::WrongModel
            | Self::EccErrors
            | Self::XidErrors
            | Self::Rebooted => Blocks::Use,
            Self::GpuUnexpected
            | Self::WrongDriver
            | Self::TooHot
            | Self::DiskFull
            | Self::LeftBehind => Blocks::Reservations,
        }
    }
}

/// What a machine should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    pub gpu_model: String,
    /// `None`: any.
    pub driver_version: Option<String>,
    pub gpus: ExpectedGpus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedGpus {
    /// At enrollment: how many, with indexes from 0.
    Count(u32),
    /// Later: exactly these, as index and UUID.
    These(Vec<(u32, String)>),
}

/// Reads `nvidia-smi --query-gpu`'s answer to [`QUERY`].
pub fn parse(csv: &str) -> Result<Vec<Gpu>, UnreadableInventory> {
    let filled = csv
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(number, line)| {
            parse_line(line).map_err(|field| UnreadableInventory {
                line: number + 1,
                field,
            })
        })
        .collect()
}

fn parse_line(line: &str) -> Result<Gpu, &'static str> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [index, uuid, model, driver, memory, ecc, temperature] = fields.as_slice() else {
        return Err("number of fields");
    };
    if !is_gpu_uuid(uuid) {
        return Err("uuid");
    }
    if model.is_empty() || model.len() > 128 || !is_printable(model) {
        return Err("name");
    }
    if driver.is_empty()
        || driver.len() > 32
        || !driver.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return Err("driver_version");
    }
    Ok(Gpu {
        index: index.parse().map_err(|_| "index")?,
        uuid: (*uuid).to_owned(),
        model: (*model).to_owned(),
        driver_version: (*driver).to_owned(),
        memory_mib: memory.parse().map_err(|_| "memory.total")?,
        ecc_uncorrected_errors: optional(ecc).map_err(|()| "ecc.errors")?,
        temperature_celsius: optional(temperature).map_err(|()| "temperature.gpu")?,
    })
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// `GPU-` and the 36 characters of a UUID.
pub fn is_gpu_uuid(text: &str) -> bool {
    text.strip_prefix("GPU-").is_some_and(|rest| {
        rest.len() == 36
            && rest.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            })
    })
}

/// `[N/A]` and its relatives stand for a value that this GPU does not have.
fn optional<T: std::str::FromStr>(field: &str) -> Result<Option<T>, ()> {
    if field.starts_with('[') && field.ends_with(']') {
        return Ok(None);
    }
    field.parse().map(Some).map_err(|_| ())
}

/// Everything that differs, in the order of the codes; nothing when all is well.
pub fn compare(gpus: &[Gpu], expected: &Expectation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |code, gpu_index, detail: String| {
        findings.push(Finding {
            code,
            gpu_index,
            detail,
        });
    };
    match &expected.gpus {
        ExpectedGpus::Count(count) => {
            for index in (0..*count).filter(|index| !gpus.iter().any(|g| g.index == *index)) {
                found(
                    FindingCode::GpuMissing,
                    Some(index),
                    format!("GPU {index} is missing"),
                );
            }
            for gpu in gpus.iter().filter(|gpu| gpu.index >= *count) {
                found(
                    FindingCode::GpuUnexpected,
                    Some(gpu.index),
                    format!("GPU {} is one too many", gpu.index),
                );
            }
        }
        ExpectedGpus::These(these) => {
            let has =
                |index: &u32, uuid: &str| gpus.iter().any(|g| g.index == *index && g.uuid == uuid);
            for (index, uuid) in these.iter().filter(|(index, uuid)| !has(index, uuid)) {
                found(
                    FindingCode::GpuMissing,
                    Some(*index),
                    format!("GPU {index} ({uuid}) is missing"),
                );
            }
            let known = |gpu: &&Gpu| {
                these
                    .iter()
                    .any(|(index, uuid)| *index == gpu.index && *uuid == gpu.uuid)
            };
            for gpu in gpus.iter().filter(|gpu| !known(gpu)) {
                found(
                    FindingCode::GpuUnexpected,
                    Some(gpu.index),
                    format!("GPU {} ({}) is not known here", gpu.index, gpu.uuid),
                );
            }
        }
    }
    for gpu in gpus.iter().filter(|gpu| gpu.model != expected.gpu_model) {
        found(
            FindingCode::WrongModel,
            Some(gpu.index),
            format!("GPU {} is a {}", gpu.index, gpu.model),
        );
    }
    if let (Some(wanted), Some(gpu)) = (&expected.driver_version, gpus.first())
        && gpu.driver_version != *wanted
    {
        found(
            FindingCode::WrongDriver,
            None,
            format!(
                "driver {} is loaded, {wanted} is expected",
                gpu.driver_version
            ),
        );
    }
    for (gpu, errors) in gpus
        .iter()
        .filter_map(|gpu| gpu.ecc_uncorrected_errors.map(|n| (gpu, n)))
    {
        if errors > 0 {
            found(
                FindingCode::EccErrors,
                Some(gpu.index),
                format!("GPU {} has {errors} uncorrected memory errors", gpu.index),
            );
        }
    }
    for gpu in gpus {
        if let Some(celsius) = gpu.temperature_celsius
            && celsius >= HOT_CELSIUS
        {
            let detail = format!("GPU {} is at {celsius} degrees Celsius", gpu.index);
            found(FindingCode::TooHot, Some(gpu.index), detail);
        }
    }
    findings.sort_by_key(|finding| finding.code);
    findings
}

/// Whether the driver's error of this number takes a GPU out of use. The others are the fault of
/// whoever runs on it, or repair themselves.
pub fn is_fatal_xid(number: u32) -> bool {
    FATAL_XIDS.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
0, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, NVIDIA H100 80GB HBM3, 535.161.08, 81559, 0, 31
1, GPU-05627ed9-453b-d1ea-ddf1-09e6eb0ee22a, NVIDIA H100 80GB HBM3, 535.161.08, 81559, [N/A], 33
";

    fn expected(gpus: ExpectedGpus) -> Expectation {
        Expectation {
            gpu_model: "NVIDIA H100 80GB HBM3".to_owned(),
            driver_version: Some("535.161.08".to_owned()),
            gpus,
        }
    }

    fn codes(gpus: &[Gpu], expected: &Expectation) -> Vec<&'static str> {
        compare(gpus, expected)
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
    }

    #[test]
    fn reads_what_nvidia_smi_prints() {
        let gpus = parse(TWO).unwrap();
        assert_eq!(gpus.len(), 2);
        assert_eq!(gpus[0].ecc_uncorrected_errors, Some(0));
        assert_eq!(gpus[1].ecc_uncorrected_errors, None);
        assert_eq!(gpus[1].temperature_celsius, Some(33));
        assert_eq!(parse("\n"), Ok(vec![]));
    }

    #[test]
    fn refuses_what_it_does_not() {
        for (line, field) in [
            ("No devices were found", "number of fields"),
            (
                "x, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, M, 1.2, 1, 0, 1",
                "index",
            ),
            ("0, GPU-4f7d373e, M, 1.2, 1, 0, 1", "uuid"),
            (
                "0, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, M\u{7}, 1.2, 1, 0, 1",
                "name",
            ),
            (
                "0, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, M, $(x), 1, 0, 1",
                "driver_version",
            ),
            (
                "0, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, M, 1.2, many, 0, 1",
                "memory.total",
            ),
            (
                "0, GPU-4f7d373e-afac-a5fa-2eb4-1ff690e126d1, M, 1.2, 1, -1, 1",
                "ecc.errors",
            ),
        ] {
            let error = parse(&format!("\n{line}")).unwrap_err();
            assert_eq!(error, UnreadableInventory { line: 2, field }, "{line}");
        }
    }

    #[test]
    fn a_sound_machine_has_no_findings() {
        let gpus = parse(TWO).unwrap();
        assert!(compare(&gpus, &expected(ExpectedGpus::Count(2))).is_empty());
        let these = gpus
            .iter()
            .map(|gpu| (gpu.index, gpu.uuid.clone()))
            .collect();
        assert!(compare(&gpus, &expected(ExpectedGpus::These(these))).is_empty());
    }

    #[test]
    fn what_differs_is_found() {
        let gpus = parse(TWO).unwrap();
        assert_eq!(
            codes(&gpus, &expected(ExpectedGpus::Count(3))),
            ["gpu_missing"]
        );
        assert_eq!(
            codes(&gpus, &expected(ExpectedGpus::Count(1))),
            ["gpu_unexpected"]
        );
        assert_eq!(
            codes(&[], &expected(ExpectedGpus::Count(1))),
            ["gpu_missing"]
        );
        let swapped = vec![(1, gpus[0].uuid.clone()), (0, gpus[1].uuid.clone())];
        assert_eq!(
            codes(&gpus, &expected(ExpectedGpus::These(swapped))),
            [
                "gpu_missing",
                "gpu_missing",
                "gpu_unexpected",
                "gpu_unexpected"
            ]
        );
        let mut other = gpus.clone();
        other[0].driver_version = "470.57.02".to_owned();
        other[1].model = "NVIDIA A100".to_owned();
        other[1].ecc_uncorrected_errors = Some(3);
        assert_eq!(
            codes(&other, &expected(ExpectedGpus::Count(2))),
            ["wrong_model", "wrong_driver", "ecc_errors"]
        );
    }
}
