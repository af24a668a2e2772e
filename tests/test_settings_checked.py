"""Settings that cannot work are refused before the first second of work."""

import json

import pytest

from loops.online.registry import METHODS
from qc import ESTIMATORS
from qc.graded.registry import SOURCES
from semiqc.experiment import json_schema
from semiqc.experiment.ready import check_ready
from semiqc.experiment.settings_file import SettingsError, read_settings
from semiqc.suites.settings import SuiteSettings
from semiqc.work.arguments import checked_arguments, parameters_of


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seeds=[-1]", "seeds.0: .*got -1"),
        ("split.seed=-1", "split.seed: .*got -1"),
        ("training.seed=99999999999999999999", "training"),
        ("training.patch=[0, 0]", "patch must be two lengths"),
        ("training.device=toaster", "device must be one of auto, cpu"),
        ("training.clip=0", "clip must be positive, got 0"),
        ("training.clip=.inf", "finite"),
        ("training.foreground=.nan", "finite"),
        ("training.learning_rate=.inf", "finite"),
        ("training.weight_decay=-1", "weight_decay must not be negative"),
        ("training.snapshots=[0]", "snapshots must be steps"),
        ("training.augmentation.scale=[0, 0]", "scale must rise"),
        ("training.augmentation.noise=-1", "noise must not be negative"),
        ("training.augmentation.low_resolution=0", "low_resolution must lie"),
        ("segmenter.channels=[]", "segmenter.channels"),
        ("segmenter.channels=[1000000000, 2]", "segmenter.channels.0"),
        ("evaluation.nsd_tolerance_mm=.inf", "nsd_tolerance_mm: .*finite"),
        ("evaluation.nsd_tolerance_mm=1e9", "nsd_tolerance_mm: "),
        ("importing.spacing=1e-9", "importing.spacing: "),
        ("gate.margin=.nan", "gate.margin: .*finite"),
        ("online.learning_rate=.nan", "online.learning_rate: .*finite"),
        ("qc.arguments={cnn: {learning_rate: .nan}}", "finite"),
        ("phantom.profiles=[none]", "phantom.profiles"),
        ("scenarios=[]", "scenarios: none"),
        ("scenarios=[few, few]", "scenarios: some are given twice"),
        ("gate.k=true", r"gate\.k: must be a number, got True"),
        ("seeds=[yes]", r"seeds: must be a number, got True"),
        ("training.augmentation.scale=[true, 1]", r"augmentation\.scale must be a number"),
        ("importing.labels={true: 1}", r"importing\.labels: must be a number, got True"),
        ("qc.arguments={cnn: {steps: on}}", r"cnn\.steps: must be a number, got True$"),
        ("name=2024-13-45", None),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(change, message):
    changes = [change, "gates=[]", "name=x"] if "name=" not in change else [change]
    if message is None:
        assert read_settings(None, changes).name == "2024-13-45"
        return
    with pytest.raises(ValueError, match=message) as raised:
        read_settings(None, changes)
    assert "\n" not in str(raised.value)


def test_numbers_are_read_as_people_write_them():
    assert read_settings(None, ["training.steps=0120"]).training.steps == 120
    with pytest.raises(ValueError, match=r"training\.steps: .*got '1:30'"):
        read_settings(None, ["training.steps=1:30"])


def test_a_message_does_not_repeat_a_long_value():
    with pytest.raises(ValueError, match=r"gate\.by") as raised:
        read_settings(None, [f"gate.by={'x' * 200_000}"])
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("qc.verdicts=none.csv", "none.csv: no such file"),
        ("split.file=none.csv", "none.csv: no such file"),
        ("data=none.h5", "data: none.h5: no such file"),
        ("training.start=none.safetensors", "none.safetensors: no such file"),
        ("importing.scheme=none.yaml", "unknown label scheme 'none.yaml'"),
        ("split.unlabelled=0", "leaves no study as unlabelled, as scenario random"),
        ("training.device=mps", "training.device: this machine has no mps"),
    ],
)
def test_what_settings_name_is_looked_at_before_work(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    settings = read_settings(None, [change, "gates=[]", "scenarios=[few, random]"])

    with pytest.raises(ValueError, match=message):
        check_ready(settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": -1}, "seed must lie"),
        ({"tolerance_mm": float("nan")}, "tolerance_mm must lie"),
        ({"tolerance_mm": float("inf")}, "tolerance_mm must lie"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"calibrate": -1}, "calibrate must not be negative"),
        ({"changes": ("cnn.learning_rate=.nan",)}, "finite"),
        ({"calibrate": True}, "calibrate must be a number, got True"),
    ],
)
def test_a_suite_that_cannot_be_made_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        SuiteSettings(**given)


def numbers(schema, node=None, path=()):
    """Where numbers stand in settings; ``*`` for each of a list, a digit for one of a pair."""
    node = schema if node is None else node
    node = schema["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node
    if node.get("type") in ("integer", "number"):
        yield ".".join(path)
    for key, part in node.get("properties", {}).items():
        yield from numbers(schema, part, (*path, key))
    for part in (*node.get("anyOf", ()), *node.get("prefixItems", ())[:1]):
        yield from numbers(schema, part, path)
    if isinstance(node.get("items"), dict):
        yield from numbers(schema, node["items"], (*path, "*"))


SCHEMA = json.loads(json_schema())
OWN = sorted({path for path in numbers(SCHEMA) if not path.startswith("gates")})


def test_the_numbers_of_all_sections_are_found():
    assert len(OWN) > 70
    assert {"seeds.*", "training.steps", "training.augmentation.scale"} <= set(OWN)


@pytest.mark.parametrize("value", ["9" * 40, "-" + "9" * 40, "true"])
def test_no_number_of_settings_is_without_bounds(value):
    taken = []
    for path in OWN:
        key, is_list, _ = path.partition(".*")
        is_pair = key == "training.patch" or key.endswith(("scale", "gamma", "contrast"))
        given = f"[{value}, {value}]" if is_pair else f"[{value}]" if is_list else value
        try:
            read_settings(None, ["data=a.h5", f"{key}={given}"])
        except SettingsError:
            continue
        taken.append(path)
    assert taken == []


@pytest.mark.parametrize("value", [10**40, -(10**40), True])
@pytest.mark.parametrize(
    "kind", [*ESTIMATORS.values(), *SOURCES.values(), *METHODS.values()], ids=lambda k: k.__name__
)
def test_no_number_of_a_method_is_without_bounds(kind, value):
    taken = []
    for name, one in parameters_of(kind, ("scheme", "modalities", "seed")).items():
        said = str(one.annotation)
        if not ("int" in said or "float" in said):
            continue
        pair = max(1, str(one.default).count(",") + 1) if "tuple" in said else 0
        nested = [[value]] if "tuple[tuple" in said else [value] * pair
        try:
            checked_arguments(kind, {name: nested if pair else value})
        except ValueError:
            continue
        taken.append(name)
    assert taken == []


@pytest.mark.parametrize(
    "change",
    ["steps=0", "width=0", "members=0", "learning_rate=0", "batch_size=-1", "size=[0, 8, 8]"],
)
def test_an_estimator_that_cannot_learn_is_refused_before_work(change):
    key, value = change.split("=")
    with pytest.raises(ValueError, match=rf"qc.arguments: cnn.{key}"):
        read_settings(None, [f"qc.arguments={{cnn: {{{key}: {value}}}}}", "gates=[]"])
