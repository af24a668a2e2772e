"""What the system refuses is told with file and reason, and no message is endless."""

import pytest

from semiqc.cli.app import main
from semiqc.cli.mistakes import LONGEST, in_one_line


def test_a_system_error_names_file_and_reason():
    assert in_one_line(OSError(36, "File name too long", "a.h5")) == "a.h5: File name too long"
    assert in_one_line(OSError("no disk")) == "no disk"


def test_a_message_that_repeats_its_input_ends():
    assert len(in_one_line(ValueError("9" * 10**6))) == LONGEST


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("none/of/t.csv/s.h5", None),
        ("t.csv/s.h5", "t.csv: is no folder; name one to write into"),
        ("n" * 300 + ".h5", "File name too long"),
    ],
)
def test_a_store_that_cannot_be_written_is_told_in_words(tmp_path, capsys, output, message):
    (tmp_path / "t.csv").write_text("study,image\na,a.nii\n")
    target = tmp_path / output

    assert main(["phantom", str(target), "--studies", "1", "--size", "32"]) == (
        2 if message else 0
    )
    said = capsys.readouterr().err
    assert "Errno" not in said
    assert message is None or message in said
