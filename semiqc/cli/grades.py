"""What ``semiqc qc evaluate`` says of the grades that readers gave."""

from pathlib import Path
from typing import TYPE_CHECKING

from semiqc.cli.output import print_table

if TYPE_CHECKING:
    from qc.evaluation import Evaluation
    from qc.evaluation.grades import Grades

TABLE = "grades.csv"


def grades_of(path: Path | None, graded: Path) -> "Grades":
    """The grades of a file, read before anything is judged; none where no file is named.

    Raises:
        ValueError: If it holds none, or cines are to be judged, which have verdicts.
    """
    from qc.evaluation.grades import read_grades

    if path is None:
        return {}
    if graded.suffix.lower() == ".csv":
        raise ValueError(f"--grades: not for {graded}, whose cines have verdicts")
    return read_grades(path)


def print_grades(evaluation: "Evaluation", grades: "Grades", output: Path | None) -> None:
    """Test between every two grades what each estimator says, and print and write it.

    Raises:
        ValueError: If nothing that was judged has a grade.
    """
    from qc.evaluation.grades import GradeRow, compare_grades
    from semiqc.files.rows import write_rows
    from semiqc.pages.table import number_text

    rows = compare_grades(evaluation.judgements, grades)
    print_table(
        "Kolmogorov-Smirnov between grades",
        ("estimator", "grade", "n", "grade", "n", "KS", "p"),
        [
            (
                *(row.estimator, row.first, row.n_first, row.second, row.n_second),
                *(number_text(one, 3) for one in (row.ks, row.p)),
            )
            for row in rows
        ],
    )
    if output:
        write_rows(output / TABLE, GradeRow, rows)
