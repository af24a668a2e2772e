import os

from semiqc.files.walking import children, files_within, folders_within


def test_litter_of_operating_systems_is_no_file_of_the_users(tmp_path):
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "a.nii.gz").touch()
    for name in ("a.nii.gz", "._a.nii.gz", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).touch()

    assert files_within(tmp_path) == children(tmp_path) == [tmp_path / "a.nii.gz"]


def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    away, data = tmp_path / "away", tmp_path / "data"
    (away / "b").mkdir(parents=True)
    (away / "b" / "file").touch()
    data.mkdir()
    (data / "a").touch()
    os.symlink("../away/b", data / "link")
    os.symlink("../data", data / "loop")

    assert files_within(data) == [data / "a", data / "link" / "file"]
    assert folders_within(data) == [data, data / "link"]


def test_pipes_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert files_within(tmp_path) == []
