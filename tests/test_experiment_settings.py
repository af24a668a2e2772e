import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from loops.repair import REPAIRS, Repair
from qc import ESTIMATORS
from qc.gates import GATES, Decision, Gate, GateContext
from qc.grains.base import Grain
from qc.grains.registry import GRAINS
from semiqc.experiment.finished import Finished
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import (
    SettingsError,
    json_schema,
    read_settings,
    with_whole_paths,
)
from semiqc.work.bounds import Share

NEW = "data=a.h5"


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "folder" / "settings.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_without_a_file_data_is_run_with_the_defaults():
    assert read_settings(None, [NEW]) == Settings(data="a.h5")


def test_without_file_and_data_the_demo_is_run():
    assert read_settings(None).data is None
    assert read_settings(None).name.startswith("Phantom demo")


def test_an_empty_file_is_the_defaults(file):
    assert read_settings(file("")).gate == Settings().gate


def test_paths_in_a_file_start_at_the_file_and_changes_at_the_working_folder(file):
    path = file("data: a.h5\nsplit: {file: split.csv}\n")

    assert read_settings(path).data == path.parent / "a.h5"
    assert read_settings(path).split.file == path.parent / "split.csv"
    assert str(read_settings(path, ["data=b.h5"]).data) == "b.h5"


def test_a_scheme_is_a_known_name_or_a_file_beside_the_settings(file):
    assert read_settings(file("importing: {scheme: aorta}")).importing.scheme == "aorta"
    path = file("importing: {scheme: mine.yaml}")
    assert read_settings(path).importing.scheme == str(path.parent / "mine.yaml")


def test_a_start_is_a_known_name_or_a_file_beside_the_settings(file):
    path = file("training: {start: mine.safetensors}")
    assert read_settings(path).training.start == str(path.parent / "mine.safetensors")
    for name in ("auto", "scratch", "phantom"):
        assert read_settings(file(f"training: {{start: {name}}}")).training.start == name


def test_settings_whose_section_is_lost_are_told_once(file):
    lost = "segmenter:\n  members: 1\n  xyz: 1\n" + "".join(
        f"  {name}: 1\n"
        for name in ("steps", "batch_size", "clip", "learning_rate", "ema", "patch", "schedule")
    )
    with pytest.raises(SettingsError) as told:
        read_settings(file(lost))

    said = str(told.value).partition("s.yaml: ")[2] or str(told.value)
    assert (
        "segmenter: unknown 'steps', 'batch_size', 'clip', 'learning_rate', 'ema' and 2 more; did"
        " you mean them under 'training'?; segmenter.xyz: unknown 'xyz'; known: channels, clean,"
    ) in said
    assert said.count("known: ") == 1


def test_changes_reach_into_sections_and_are_read_as_yaml(file):
    changes = ["gate.k=5", "seeds=[0, 1]", "training.ema=null", "qc.reader.min_dice=0.6"]
    settings = read_settings(file("gate: {k: 7, rule: best}"), changes)

    assert settings.gate.k == 5
    assert settings.seeds == (0, 1)
    assert settings.qc.reader.min_dice == 0.6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: ~nobody at all/a.h5", r"s.yaml: data: no such user as in ~nobody at all/a.h5"),
        ("gatse: {k: 3}", "gatse: unknown 'gatse'; did you mean 'gate"),
        ("gate: {kk: 3}", "gate.kk: unknown 'kk'"),
        ("training: {stepps: 3}", "training.stepps: unknown 'stepps'; did you mean 'steps'?"),
        (
            "qc: {ladder: [{name: a, widht: 1}]}",
            "qc.ladder.0.widht: unknown 'widht'; did you mean 'width'?",
        ),
        ("steps: 3", "steps: unknown 'steps'; did you mean 'training.steps' or 'online.steps'?"),
        ("gate: {estimators: [a]}", "gate.estimators: unknown 'estimators'; did you mean 'qc.est"),
        ("xyz: 3\nuvw: 4", "unknown 'xyz', 'uvw'; known: data, dirty"),
        ("gate: {k: 0}", "gate.k: input should be greater than or equal to 1, got 0"),
        ("gate: {rule: bset}", "gate.rule: unknown 'bset'; did you mean 'best'?"),
        ("scenarios: [semiqcc]", "scenarios: unknown 'semiqcc'; did you mean 'semiqc'?"),
        ("segmenter: {kind: unett}", "segmenter.kind: unknown 'unett'; did you mean 'unet'?"),
        ("qc: {estimators: [curves]}", "qc.estimators: unknown 'curves'; did you mean 'curve'?"),
        ("gate: {by: vae}", "gate.by: unknown 'vae'; known:"),
        ("qc: {ladder: []}", "needs at least one rung"),
        ("qc: {ladder: [{name: a}, {name: a}]}", "rungs share a name"),
        ("training: {steps: 0}", "training"),
        (
            "qc: {estimators: [svr, uncertainty]}\n"
            "gates: [{by: consensus, grain: slice, repair: [temporal]}]",
            "repaired predictions carry no uncertainty; consensus does not judge slices, which the"
            " grain slice needs; slicewise, qcresunet, manifold, second_opinion would",
        ),
        (
            "qc: {estimators: [svr, manifold]}\ngates: [{by: manifold, repair: [surrogate]}]",
            "the manifold would judge its own surrogates",
        ),
        (
            "qc: {ladder: [{name: a, snapshots: [0.5]}]}\ngates: [risk]",
            "needs a rung that holds nothing back, with a snapshot at 1",
        ),
        (
            "qc: {ladder: [{name: a, labelled: 0.5}]}\ngates: [risk]",
            "needs a rung that holds nothing back, with a snapshot at 1",
        ),
        ("training: {schedule: linear}", "training"),
        (
            "training: {checkpoint: best}",
            "training.checkpoint: best needs validation studies; set split.validation",
        ),
        (
            "training: {ema: null, checkpoint: ema}",
            "training: checkpoint: ema needs the setting ema",
        ),
        ("seeds: []", "seeds:"),
        ("seeds: [0, 1, 0]", "seeds: some are given twice: 0, 1, 0"),
        ("gate:\ngates: [random]", "gate: input should be a valid dictionary"),
        ("gate: [1]\ngates: [random]", "gate: input should be a valid dictionary"),
        ("gate: {by: svr, only_good: true}", "only_good is of verdicts, which svr does not give"),
        ("gate: {only_good: true}", "only_good is of verdicts, which consensus does not give"),
        (
            "gate: {by: curve, rule: risk, only_good: true}",
            "only_good is of verdicts, not for risk",
        ),
        ("- a\n- b", "expected settings as 'key: value', got list"),
        ("a: [", "settings.yaml"),
    ],
)
def test_a_mistake_is_named_with_what_to_write_instead(file, text, message):
    with pytest.raises(SettingsError) as failure:
        read_settings(file(text))

    assert message in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [("gate.k", "expected key=value"), ("gate.k.x=1", "'k' is not a section"), ("a=[", "--set")],
)
def test_a_change_at_fault_is_named(change, message):
    with pytest.raises(SettingsError, match=message):
        read_settings(None, ["gate.k=5", change])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"no\.yaml"):
        read_settings(tmp_path / "no.yaml")


def test_a_file_of_bytes_is_refused_in_words(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"settings\.yaml"):
        read_settings(path)


def test_settings_written_and_read_are_the_same():
    settings = read_settings(None, ["gate.k=5", "data=a.h5"])

    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


def test_the_schema_describes_every_section_for_editors():
    schema = json.loads(json_schema())

    assert schema["additionalProperties"] is False
    assert schema["properties"]["rounds"]["description"] == (
        "Rounds of self-training, at most; a gate may have its own."
    )
    assert schema["$defs"]["TrainingSettings"]["additionalProperties"] is False


def test_the_schema_describes_every_setting():
    schema = json.loads(json_schema())

    described = {
        f"{where}.{name}": setting.get("description", "")
        for where, section in {"": schema, **schema["$defs"]}.items()
        for name, setting in section["properties"].items()
    }

    assert [setting for setting, said in described.items() if len(said) < 4] == []
    assert described["Augmentation.rotation"] == "Largest angle in degrees."
    ratio = described["TrainingSettings.pseudo_ratio"]
    assert ratio.startswith("Share of the batches drawn from pseudo-")
    assert ratio.endswith("times the mean of their weights.")


def test_gates_of_one_name_are_told_apart_by_what_differs():
    gates = "gates=[{k: 6}, {k: 12}, {rule: risk, by: svr}, {rule: risk, target: 0.6}, all]"
    settings = read_settings(None, ["gate.by=consensus", gates])

    names = [name for name in settings.compared() if name.startswith("gate-")]

    assert names == [
        "gate-consensus-k-6",
        "gate-consensus-k-12",
        "gate-risk-by-svr-target-0.8",
        "gate-risk-by-consensus-target-0.6",
        "gate-all",
    ]
    assert settings.gate_of("gate-consensus-k-6").k == 6
    assert settings.gate_of("gate-risk-by-consensus-target-0.6").target == 0.6
    titles = [one.title for one in settings.compared().values()]
    assert len(set(titles)) == len(titles)


def test_all_estimators_judge_where_nothing_else_is_said():
    assert set(read_settings(None, [NEW]).estimators) == set(ESTIMATORS) - {"consensus"}


@pytest.mark.parametrize("change", ["segmenter.tta=4", "segmenter.samples=4"])
def test_one_network_that_samples_or_augments_is_one_member(change):
    settings = read_settings(None, [NEW, "segmenter.dropout=0.1", change])

    assert settings.segmenter.members == 1
    assert settings.segmenter.has_uncertainty


def test_a_choice_by_chance_takes_as_many_studies_as_the_gate_it_is_compared_with():
    gates = "gates=[{rule: random, k: 12}, {rule: random, k: 8}, {k: 8}, {k: 12}, {k: 3}, all]"
    settings = read_settings(None, [NEW, "gate.by=svr", "scenarios=[few]", gates])

    found = {name: settings.by_chance(name) for name in settings.compared()}

    assert found == {
        "few": None,
        "gate-random-k-12": None,
        "gate-random-k-8": None,
        "gate-svr-k-8": "gate-random-k-8",
        "gate-svr-k-12": "gate-random-k-12",
        "gate-svr-k-3": None,
        "gate-all": "gate-random-k-12",
    }


def test_gates_are_compared_with_the_one_that_takes_all_in_the_same_loop():
    gates = "gates=[svr, all, {by: svr, rounds: 3}, {loop: bcp, by: svr}, {loop: bcp, rule: all}]"
    settings = read_settings(None, [NEW, "gate.by=svr", "scenarios=[few]", gates])

    found = {name: settings.at_all(name) for name in settings.compared()}

    assert {name: others for name, others in found.items() if others} == {
        "gate-svr": ["gate-all"],
        "gate-bcp-svr": ["gate-bcp-all"],
    }


def test_of_two_whole_rungs_the_one_that_goes_to_its_end_is_promised_of():
    rungs = "[{name: a, snapshots: [0.5]}, {name: small, width: 0.5}, {name: b}]"
    settings = read_settings(None, [NEW, f"qc.ladder={rungs}", "gates=[risk]"])

    assert [rung.name for rung in settings.qc.whole] == ["b", "a"]


def test_each_gate_is_compared_with_a_choice_by_chance_that_is_else_alike():
    gates = (
        "gates=[svr, svr/voxel, random/voxel, random, all, {by: svr, rounds: 3},"
        " {rule: random, rounds: 3}, {by: svr, propagate: true}]"
    )
    settings = read_settings(
        None, [NEW, "gate.by=svr", "scenarios=[few, random, crf, semiqc]", gates]
    )

    found = {name: settings.by_chance(name) for name in settings.compared()}

    assert found == {
        "few": None,
        "random": None,
        "crf": "gate-random",
        "semiqc": "gate-random",
        "gate-svr": "gate-random",
        "gate-svr-voxel": "gate-random",
        "gate-random-voxel": None,
        "gate-random": None,
        "gate-all": "gate-random",
        "gate-svr-3rounds": "gate-random-3rounds",
        "gate-random-3rounds": None,
        "gate-svr-propagated": None,
    }


def test_old_names_are_taken_with_a_notice_each(file, caplog):
    path = file("segmenter: {views: 4}\ngate: {doubt_below: 0.4, by: slicewise}\ngates: [random]")

    settings = read_settings(path, ["gate.doubt_below=0.6", "gates=[{doubt_below: 0.1}, all]"])

    assert settings.segmenter.tta == 4
    assert settings.gate.min_slice_dice == 0.6
    assert [gate.min_slice_dice for gate in settings.gates] == [0.1, 0.6]
    assert [record.getMessage() for record in caplog.records] == [
        "the setting segmenter.views is now called segmenter.tta",
        "the setting gate.doubt_below is now called gate.min_slice_dice",
        "the setting gates.doubt_below is now called gates.min_slice_dice",
    ]


def test_new_names_are_taken_in_silence(file, caplog):
    assert read_settings(file("segmenter: {tta: 4}")).segmenter.tta == 4
    assert caplog.records == []


def test_a_setting_given_by_both_its_names_is_refused(file):
    with pytest.raises(SettingsError, match=r"segmenter\.tta: is given twice"):
        read_settings(file("segmenter: {views: 4, tta: 5}"))


def test_settings_of_a_finished_run_may_have_old_names():
    assert Settings.model_validate({"segmenter": {"views": 4}}).segmenter.tta == 4


@pytest.mark.parametrize(
    ("gate", "title"),
    [
        ("{by: curve}", "semiQCSeg"),
        ("{by: curve, k: 3}", "semiQCSeg"),
        ("{}", "QC gate: consensus"),
        ("{by: svr}", "QC gate: svr"),
        ("{by: curve, rule: threshold}", "QC gate: curve"),
        ("{by: curve, repair: [temporal]}", "QC gate: curve"),
    ],
)
def test_only_the_published_method_has_its_name(gate, title):
    settings = read_settings(None, [NEW, f"gate={gate}"])

    assert settings.compared()["semiqc"].title == title


@dataclass(frozen=True)
class Middling(Gate):
    """Admits what is neither good nor bad.

    Args:
        breadth: Of the scores that are admitted.
        start: Given by the run.
    """

    title = "middling by {by}, {breadth:g} wide"
    of_run = ("start",)

    breadth: Share = 0.25
    start: float = 0.0

    @classmethod
    def for_run(cls, context, **arguments):
        return cls(**arguments, start=context.seed / 10)

    def __call__(self, qualities):
        end = self.start + self.breadth
        return [Decision(q.study, self.start <= q.score <= end, "") for q in qualities]


@dataclass(frozen=True)
class Corners(Grain):
    """Hides corners.

    Args:
        scheme: Whose structures are judged.
        corner: Voxels along its edge.
    """

    needs_slices = True

    corner: int = 3

    def _hidden(self, prediction, quality):
        raise NotImplementedError


@dataclass(frozen=True)
class Blur(Repair):
    """Blurs labels.

    Args:
        scheme: Whose structures are judged.
        blur_mm: Of the Gaussian.
    """

    suggested_by = "svr"

    blur_mm: Share = 0.5

    def _labels(self, prediction, quality):
        raise NotImplementedError


@pytest.fixture
def _toys(monkeypatch):
    monkeypatch.setitem(GATES, "middling", Middling)
    monkeypatch.setitem(GRAINS, "corners", Corners)
    monkeypatch.setitem(REPAIRS, "blur", Blur)


@pytest.mark.usefixtures("_toys")
def test_what_is_registered_can_be_named_in_settings_without_more():
    gates = "gates=[middling, {rule: middling, breadth: 0.5}, {rule: random, k: 7}]"
    settings = read_settings(
        None, [NEW, "gate.by=svr", "gate.blur_mm=0.1", "scenarios=[few]", gates]
    )

    titles = {name: one.title for name, one in settings.compared().items()}
    assert titles == {
        "few": "Few labels",
        "gate-middling-breadth-0.25": "Gate: middling by svr, 0.25 wide, breadth 0.25",
        "gate-middling-breadth-0.5": "Gate: middling by svr, 0.5 wide, breadth 0.5",
        "gate-random": "Gate: 7 at random",
    }
    # It takes no k, so that any choice by chance will do.
    assert settings.by_chance("gate-middling-breadth-0.5") == "gate-random"
    gate = settings.gate_of("gate-middling-breadth-0.5")
    assert gate.arguments(Middling) == {"breadth": 0.5}
    assert gate.arguments(Blur) == {"blur_mm": 0.1}
    assert Middling.for_run(GateContext(seed=3), **gate.arguments(Middling)) == Middling(0.5, 0.3)
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.usefixtures("_toys")
def test_the_schema_has_what_is_registered():
    known = json.loads(json_schema())["$defs"]["GateSettings"]["properties"]

    assert known["rule"]["enum"][-1] == "middling"
    assert known["grain"]["enum"][-1] == "corners"
    assert known["repair"]["items"]["enum"][-1] == "blur"
    assert known["breadth"] == {
        "default": 0.25,
        "description": "Of the scores that are admitted. For: rule ``middling``.",
        "maximum": 1,
        "minimum": 0,
        "title": "Breadth",
        "type": "number",
    }
    assert "corner" in known
    assert "blur_mm" in known
    assert "start" not in known
    assert "scheme" not in known


@pytest.mark.usefixtures("_toys")
@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("[{rule: middling, breadth: 2}]", "breadth: input should be less than or equal to 1"),
        ("[{rule: middling, braedth: 1}]", "unknown 'braedth'; did you mean 'breadth'?"),
        ("[{by: curve, grain: corners}]", "curve does not judge slices"),
        ("[{by: svr, repair: [blur]}]", "the svr would judge its own blurs"),
        ("[{by: curve, rule: middling, only_good: true}]", "only_good is of verdicts, not for"),
    ],
)
def test_what_is_registered_is_checked_by_what_its_class_says(gates, message):
    with pytest.raises(SettingsError) as failure:
        read_settings(None, [NEW, f"gates={gates}"])

    assert message in str(failure.value)


def test_parameters_of_one_name_must_agree(monkeypatch):
    @dataclass(frozen=True)
    class Other(Middling):
        k: int = 3

    monkeypatch.setitem(GATES, "other", Other)
    with pytest.raises(TypeError, match="k of the rule other is not as that of"):
        read_settings(None, [NEW, "gate.k=2"])


def test_the_report_is_about_a_gate_that_judges():
    found = Finished(Path("run"), read_settings(None), {}).reference

    assert found == "gate-bcp-consensus"


def test_a_run_writes_down_where_its_data_are_from_every_folder(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "settings.yaml").write_text("data: x.h5\ntraining: {start: phantom}\n")
    monkeypatch.chdir(tmp_path)
    settings = with_whole_paths(read_settings(Path("a/settings.yaml")))

    assert settings.data == tmp_path / "a" / "x.h5"
    assert settings.training.start == "phantom"
    assert with_whole_paths(read_settings(None, ["data=x.h5"])).data == tmp_path / "x.h5"


@pytest.mark.parametrize(
    ("gate", "title"),
    [
        ("{by: slicewise, k: 3}", "3 best by slicewise"),
        ("{rule: random, k: 3}", "3 at random"),
        ("{by: slicewise, k: 3, grain: slice}", "3 best by slicewise, by slice"),
        ("{by: slicewise, k: 3, rounds: 2}", "3 best by slicewise, 2 rounds"),
        ("{by: slicewise, k: 3, loop: bcp, rounds: 2}", "3 best by slicewise, bcp, 2 rounds"),
        ("{by: slicewise, k: 3, repair: [temporal]}", "3 best by slicewise, repaired (temporal)"),
        (
            "{by: slicewise, k: 3, propagate: true}",
            "3 best by slicewise, experts' labels propagated",
        ),
        (
            "{by: slicewise, k: 3, rounds: 2, candidates: [views, before], unit: slice}",
            "3 best by slicewise, best of (views, before) by slice, 2 rounds",
        ),
        (
            "{by: slicewise, k: 3, candidates: [views], choose_by: truth}",
            "3 best by slicewise, best of (views) by true Dice",
        ),
    ],
)
def test_a_gate_is_titled_by_all_that_it_does(gate, title):
    settings = read_settings(None, ["data=a.h5", "scenarios=[few]", f"gates=[{gate}]"])

    [found] = [one.title for name, one in settings.compared().items() if name != "few"]
    assert found == f"Gate: {title}"
