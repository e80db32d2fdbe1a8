//! The hardware for a Space: candidates in order, with the reasons for and against them.

use hub::{Flavor, SleepTime};
use std::time::Duration;

use crate::setting::{ALLOW_FALLBACK, MAX_HOURLY_PRICE, RUNTIME};
use crate::templates::{Template, WeightsDtype};

use super::blockers::{Blocker, BlockerId};
use super::candidate::{Alternative, Candidate, Manual, Rejected, ZeroGpuSize};
use super::classify::has_browser_version;
use super::facts::ModelFacts;
use super::hardware::{LADDER, Machine, Prices, largest_gpu_gb};
use super::settings::{Account, Grant, RuntimeChoice, Settings};
use super::size::{Size, is_bitsandbytes};

/// Memory of a ZeroGPU worker that an app can use, in 10^9 bytes: the whole is 48.
const ZERO_GPU_LARGE_GB: f64 = 44.0;
/// The same for the size `xlarge`, of 96.
const ZERO_GPU_XLARGE_GB: f64 = 90.0;
/// Number of parameters that a CPU runs fast enough for a visitor.
const CPU_PARAMS: u64 = 500_000_000;
/// Idle time before paid hardware sleeps, for a model that starts fast.
const SHORT_SLEEP: Duration = Duration::from_secs(300);
/// The same for a model that takes minutes to load.
const LONG_SLEEP: Duration = Duration::from_secs(900);
/// Size of weights that take minutes to load, in 10^9 bytes.
const SLOW_START_GB: f64 = 10.0;

/// Facts that the choice of hardware depends on.
pub(super) struct Question<'a> {
    pub(super) facts: &'a ModelFacts,
    pub(super) settings: &'a Settings,
    pub(super) account: &'a Account,
    pub(super) prices: &'a Prices,
    pub(super) size: &'a Size,
    pub(super) template: Template,
    pub(super) task: &'a str,
}

/// The choice of hardware.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    /// In the order in which a run asks for them.
    pub(super) candidates: Vec<Candidate>,
    pub(super) alternatives: Vec<Alternative>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) manual: Option<Manual>,
}

/// Returns the obstacle of a model that no GPU of the Hub can hold.
pub(super) fn too_large(settings: &Settings, template: Option<Template>, size: &Size) -> Option<Blocker> {
    let (_, need) = template.zip(size.need_gb)?;
    let largest = largest_gpu_gb();
    if need <= largest {
        return None;
    }
    let named = std::iter::once(&settings.hardware_preference).chain(&settings.fallback_hardware);
    let several = named.copied().find(|flavor| Machine::of(*flavor).is_some_and(|machine| machine.gpus > 1));
    let evidence =
        format!("the model needs {need:.1} GB, and one GPU of the Hub has {largest:.1} GB for an app");
    let fix = format!(
        "choose a smaller version of the model, or one packed by bitsandbytes, or set {}",
        RUNTIME.with("provider")
    );
    Some(match several {
        Some(flavor) => Blocker::new(
            BlockerId::MultiGpu,
            format!("{evidence}; the templates use one of the GPUs of `{flavor}`"),
            fix,
        ),
        None => Blocker::new(BlockerId::TooLarge, evidence, fix),
    })
}

impl Choice {
    /// Chooses among the hardware that the settings allow.
    pub(super) fn make(question: &Question<'_>) -> Self {
        let mut choice = Self::default();
        let preference = question.settings.hardware_preference;
        match question.settings.runtime {
            _ if question.template == Template::StaticTransformersjs => choice.accept_page(question.template),
            _ if question.template == Template::ProviderChat => {
                let order = match question.account.cpu_basic {
                    Grant::Yes => [Flavor::CPU_BASIC, Flavor::ZERO_GPU],
                    Grant::No(_) | Grant::Unknown => [Flavor::ZERO_GPU, Flavor::CPU_BASIC],
                };
                order.into_iter().for_each(|flavor| choice.consider(question, flavor));
            }
            RuntimeChoice::ZeroGpu => {
                choice.consider(question, Flavor::ZERO_GPU);
                choice.fall_back(question);
            }
            RuntimeChoice::Cpu => {
                let is_cpu = Machine::of(preference).is_some_and(|machine| machine.gpus == 0);
                choice.consider(question, if is_cpu { preference } else { Flavor::CPU_BASIC });
            }
            RuntimeChoice::Gpu => {
                let is_gpu = Machine::of(preference).is_some_and(|machine| machine.gpus > 0);
                if is_gpu && !preference.is_zero_gpu() {
                    choice.consider(question, preference);
                }
                choice.fall_back(question);
            }
            RuntimeChoice::Auto | RuntimeChoice::Static | RuntimeChoice::Provider => {
                choice.consider(question, preference);
                if !preference.is_basic() {
                    choice.consider(question, Flavor::CPU_BASIC);
                }
                choice.offer_page(question);
                choice.fall_back(question);
            }
        }
        choice
    }

    /// Adds hardware that a run may take by itself, or the reason against it.
    fn consider(&mut self, question: &Question<'_>, flavor: Flavor) {
        let is_known =
            |candidate: &Candidate| candidate.hardware.is_some_and(|known| known.is(flavor.as_str()));
        if self.candidates.iter().any(is_known) {
            return;
        }
        match question.fits(flavor).and_then(|()| question.may_have(flavor)) {
            Ok(()) => self.accept(question.candidate(flavor)),
            Err(reason) => self.reject(flavor.as_str(), reason),
        }
        if question.fits(flavor).is_ok() {
            self.suggest(question, flavor);
        }
    }

    fn accept(&mut self, candidate: Candidate) {
        if let Some(flavor) = candidate.hardware.filter(|_| !self.candidates.is_empty()) {
            let reason =
                if candidate.price == Some(0.0) { "free, after the first choice" } else { "fallback" };
            self.alternatives.push(Alternative::new(flavor.as_str(), reason, candidate.price));
        }
        self.candidates.push(candidate);
    }

    fn reject(&mut self, hardware: &str, reason: String) {
        if !self.rejected.iter().any(|known| known.hardware == hardware) {
            self.rejected.push(Rejected { hardware: hardware.to_owned(), reason });
        }
    }

    /// Keeps the first hardware that suffices, for a person who wants to choose it.
    fn suggest(&mut self, question: &Question<'_>, flavor: Flavor) {
        self.manual.get_or_insert(Manual { hardware: flavor, price: question.prices.of(flavor) });
    }

    fn accept_page(&mut self, template: Template) {
        self.candidates.push(Candidate {
            template,
            hardware: None,
            size: None,
            duration: None,
            price: Some(0.0),
            sleep_time: None,
        });
    }

    /// Adds a static page for an account that gets no free machine.
    fn offer_page(&mut self, question: &Question<'_>) {
        let is_free_plan = matches!(question.account.cpu_basic, Grant::No(_));
        if !is_free_plan || !has_browser_version(question.facts, question.task) {
            return;
        }
        if !self.candidates.is_empty() {
            self.alternatives.push(Alternative::new(
                "static",
                "free page in the browser of the visitor",
                Some(0.0),
            ));
        }
        self.accept_page(Template::StaticTransformersjs);
    }

    /// Adds paid hardware: that of the list in its order, or the smallest that suffices.
    fn fall_back(&mut self, question: &Question<'_>) {
        let settings = question.settings;
        if !settings.fallback_hardware.is_empty() {
            for flavor in &settings.fallback_hardware {
                self.consider_paid(question, *flavor);
            }
            return;
        }
        for flavor in LADDER.iter().filter_map(|name| name.parse().ok()) {
            if self.consider_paid(question, flavor) {
                return;
            }
        }
    }

    /// Adds paid hardware. Returns true if it suffices, and costs no more than the limit.
    fn consider_paid(&mut self, question: &Question<'_>, flavor: Flavor) -> bool {
        if let Err(reason) = question.fits(flavor) {
            self.reject(flavor.as_str(), reason);
            return false;
        }
        let known = self.candidates.iter().any(|candidate| candidate.hardware == Some(flavor));
        let price = question.prices.of(flavor);
        match question.may_have(flavor) {
            _ if known => return true,
            Err(reason) => {
                self.reject(flavor.as_str(), reason);
                self.suggest(question, flavor);
                return false;
            }
            Ok(()) if question.may_pay() => self.accept(question.candidate(flavor)),
            Ok(()) => {
                let reason = format!("by hand, or with {}", ALLOW_FALLBACK.with("true"));
                self.alternatives.push(Alternative::new(flavor.as_str(), &reason, price));
            }
        }
        self.suggest(question, flavor);
        true
    }
}

impl Question<'_> {
    /// Returns true if a run may take paid hardware that no input names first.
    fn may_pay(&self) -> bool {
        self.settings.allow_fallback || self.settings.runtime == RuntimeChoice::Gpu
    }

    /// Checks that the model runs on this hardware.
    fn fits(&self, flavor: Flavor) -> Result<(), String> {
        let Some(machine) = Machine::of(flavor) else { return Err("it has no GPU for CUDA".to_owned()) };
        if self.template == Template::ProviderChat {
            return Ok(());
        }
        if machine.gpus == 0 {
            return self.fits_cpu(flavor, machine);
        }
        let need = self.size.need_gb;
        let limit = if flavor.is_zero_gpu() { ZERO_GPU_XLARGE_GB } else { machine.usable_gb() };
        if need.is_some_and(|need| need > limit) {
            let one = if machine.gpus > 1 { "one GPU of it" } else { "it" };
            return Err(format!(
                "{one} has {limit:.1} GB for an app, and the model needs {:.1} GB",
                need.unwrap_or_default()
            ));
        }
        if !machine.has_bf16 && self.needs_bf16() {
            return Err("it does not compute in bfloat16, which this app uses".to_owned());
        }
        Ok(())
    }

    fn fits_cpu(&self, flavor: Flavor, machine: Machine) -> Result<(), String> {
        let manifest = self.template.manifest();
        if is_bitsandbytes(self.facts.loaded()) {
            return Err("bitsandbytes needs a GPU".to_owned());
        }
        // Images, videos and speech take minutes on a CPU.
        let is_slow = manifest.activation_gb >= 4.0 || self.template == Template::TextToSpeech;
        let is_asked_for =
            self.settings.runtime == RuntimeChoice::Cpu || self.settings.hardware_preference == flavor;
        match self.size.params {
            _ if is_slow && !is_asked_for => Err("this task takes minutes on a CPU".to_owned()),
            Some(params) if params >= CPU_PARAMS && !is_asked_for => {
                Err("a CPU is too slow for 0.5 billion parameters or more".to_owned())
            }
            None if !is_asked_for => Err("the number of parameters is not known".to_owned()),
            params => {
                // On a CPU, the weights are float32.
                let need = params.map(|params| super::size::gigabytes(params.saturating_mul(4)) * 1.2 + 1.0);
                match need {
                    Some(need) if need > machine.usable_gb() => Err(format!(
                        "it has {:.1} GB for an app, and the model needs {need:.1} GB in float32",
                        machine.usable_gb()
                    )),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Returns true if the app computes in bfloat16 on a GPU.
    fn needs_bf16(&self) -> bool {
        match self.template.manifest().dtype {
            WeightsDtype::Cast => true,
            WeightsDtype::Checkpoint => self.size.dtype.as_deref() == Some("BF16"),
            WeightsDtype::Float32 | WeightsDtype::Unloaded => false,
        }
    }

    /// Checks that the account may have this hardware, within the limit of the price.
    fn may_have(&self, flavor: Flavor) -> Result<(), String> {
        let grant = if flavor.is_zero_gpu() {
            &self.account.zero_gpu
        } else if flavor.is_basic() {
            &self.account.cpu_basic
        } else {
            &self.account.paid_hardware
        };
        if let Some(reason) = grant.refusal() {
            return Err(reason.to_owned());
        }
        let Some(limit) = self.settings.max_hourly_price else { return Ok(()) };
        match self.prices.of(flavor) {
            Some(price) if price > limit => {
                Err(format!("${price:.2} an hour is more than {MAX_HOURLY_PRICE} of ${limit:.2}"))
            }
            Some(_) => Ok(()),
            None => Err(format!("the Hub names no price, so that {MAX_HOURLY_PRICE} cannot be held")),
        }
    }

    fn candidate(&self, flavor: Flavor) -> Candidate {
        let is_zero_gpu = flavor.is_zero_gpu();
        let is_xlarge = self.size.need_gb.is_some_and(|need| need > ZERO_GPU_LARGE_GB);
        let size = if is_xlarge { ZeroGpuSize::XLarge } else { ZeroGpuSize::Large };
        let starts_slowly = self.size.stored_gb().is_some_and(|size| size > SLOW_START_GB);
        let sleep = if starts_slowly { LONG_SLEEP } else { SHORT_SLEEP };
        Candidate {
            template: self.template,
            hardware: Some(flavor),
            size: is_zero_gpu.then_some(size),
            duration: is_zero_gpu.then(|| self.template.manifest().duration_seconds),
            price: self.prices.of(flavor),
            sleep_time: (!is_zero_gpu && !flavor.is_basic()).then_some(SleepTime::After(sleep)),
        }
    }
}
