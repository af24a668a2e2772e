import json

import pytest

starlette = pytest.importorskip("starlette.testclient", reason="needs the extra review")

from review_builders import HOST, TOKEN, broken, desk  # noqa: E402

from semiqc.review.server import make_app  # noqa: E402


@pytest.fixture
def review(tmp_path):
    return desk(tmp_path, "a", "b", items=[broken("torn")], blind=True)


@pytest.fixture
def client(review):
    return client_of(review)


def client_of(review):
    app = make_app(review, TOKEN, [HOST, "localhost:8000"], reader="ann")
    return starlette.TestClient(app, base_url=f"http://{HOST}/{TOKEN}/")


def give(client, item, verdict="good", *, showing=1, **more):
    sent = {"reader": "ann", "item": item, "showing": showing, "verdict": verdict, **more}
    return client.post("verdict", json=sent)


def said(client, reader="ann"):
    return [one["said"] for one in client.get("queue", params={"reader": reader}).json()["places"]]


def test_the_page_loads_what_it_names_and_nothing_from_elsewhere(client):
    page = client.get("").text

    for name in ("main.js", "review.css", "icon.svg"):
        assert f'"page/{name}"' in page
        assert client.get(f"page/{name}").status_code == 200
    assert "http" not in page
    assert "<style" not in page
    assert " style=" not in page


def test_a_study_is_shown_by_its_number(client):
    assert client.get("study/1/about").json()["frames"] == 3
    shown = client.get("study/1/film/0")

    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content.startswith(b"\xff\xd8")
    assert client.get("study/9/about").status_code == 404
    assert client.get("study/0/film/3").status_code == 422


def test_a_broken_study_is_told_and_the_next_one_shows(client):
    answer = client.get("study/2/about")

    assert answer.status_code == 422
    assert answer.json() == {"refused": "torn.nii.gz: cut short"}
    assert client.get("study/0/about").status_code == 200


def test_a_verdict_is_kept_and_stands_in_the_queue(client, review, tmp_path):
    answer = give(client, 0, "erroneous", reasons=["leaks out"], note="apex", seconds=3.5)

    assert answer.json()["said"]["verdict"] == "erroneous"
    again = desk(tmp_path, "a", "b")
    assert [one and one["verdict"] for one in said(client_of(again))] == ["erroneous", None]


def test_a_verdict_that_another_window_gave_is_told(client):
    first = give(client, 0, "good", knew=0).json()
    second = give(client, 0, "erroneous", knew=0).json()
    third = give(client, 0, "good", knew=second["said"]["number"]).json()

    assert [one["other"] for one in (first, second, third)] == [None, "good", None]


def test_readers_have_queues_of_their_own(client):
    give(client, 0)

    assert said(client, "bob") == [None, None, None]


def test_undo_says_where_the_verdict_was_given(client):
    give(client, 0)
    give(client, 1)
    undone = client.post("undo", json={"reader": "ann"}).json()["undone"]

    assert (undone["item"], undone["showing"], undone["said"]) == (1, 1, None)
    assert said(client)[1] is None


def test_a_study_that_is_put_off_comes_last(client):
    said(client)
    client.post("later", json={"reader": "ann", "item": 0, "showing": 1})

    assert [one["item"] for one in client.get("queue").json()["places"]] == [1, 2, 0]


def test_grades_are_kept_by_slice_and_structure(client):
    sent = {"reader": "ann", "item": 1, "frame": 0, "slice": 1, "structure": "LV", "grade": 3}
    client.post("grade", json=sent)

    [grade] = client.get("study/1/grades").json()["grades"]
    assert grade == {"frame": 0, "slice": 1, "structure": "LV", "grade": 3}


@pytest.mark.parametrize("wrong", ["frame", "slice", "grade"])
def test_a_grade_of_true_is_not_one(client, wrong):
    sent = {"reader": "ann", "item": 1, "frame": 0, "slice": 1, "structure": "LV", "grade": 3}

    assert client.post("grade", json=sent | {wrong: True}).status_code == 400
    assert client.get("study/1/grades").json()["grades"] == []


def test_a_blind_reader_cannot_ask_for_estimates(client, tmp_path):
    seeing = client_of(desk(tmp_path / "seeing", "a", blind=False))

    assert client.get("study/0/revealed").status_code == 403
    assert client.get("study/0/heat/0").status_code == 403
    assert seeing.get("study/0/revealed").json()["study"] == "a"


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "fine"},
        {"verdict": ["good"]},
        {"item": 17},
        {"item": "../../etc/passwd"},
        {"item": -1},
        {"item": True},
        {"showing": 3},
        {"showing": True},
        {"reasons": ["<b>"]},
        {"reasons": "leaks out"},
        {"note": 3},
        {"note": "x" * 2001},
        {"reader": " "},
        {"seconds": "long"},
        {"seconds": True},
    ],
)
def test_what_makes_no_sense_is_refused_and_not_kept(client, wrong):
    sent = {"reader": "ann", "item": 0, "showing": 1, "verdict": "good"} | wrong

    assert client.post("verdict", json=sent).status_code == 400
    assert said(client) == [None, None, None]


@pytest.mark.parametrize(
    ("body", "status"), [("[1]", 400), ("{", 400), ("[" * 60_000, 400), (" " * 70_000, 413)]
)
def test_a_body_that_is_no_small_object_is_refused(client, body, status):
    headers = {"content-type": "application/json"}

    assert client.post("verdict", content=body, headers=headers).status_code == status


def test_a_form_of_another_page_is_not_taken(client):
    body = json.dumps({"reader": "ann", "item": 0, "showing": 1, "verdict": "good"})

    assert client.post("verdict", content=body, headers={"content-type": "text/plain"}).is_error
    assert said(client) == [None, None, None]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1:9999"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"https://{HOST}"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}, 200),
        ({"host": "LOCALHOST:8000"}, 200),
    ],
)
def test_only_the_page_itself_is_answered(client, headers, status):
    assert client.get("queue", headers=headers).status_code == status


@pytest.mark.parametrize("token", ["", "secre", "secretx", "SECRET", "%73ecreT", "\u00fc"])
def test_without_the_token_nothing_is_answered(client, token):
    for path in ("", "queue", "page/main.js", "study/0/about"):
        answer = client.get(f"http://{HOST}/{token}/{path}")
        assert (answer.status_code, answer.text) == (404, "not found")


@pytest.mark.parametrize(
    "path",
    [
        "page/..%2f..%2fdesk.py",
        "page/../desk.py",
        "page/page.html.j2",
        "page/%2fetc%2fpasswd",
        "page/",
        "study/..%2f0/about",
        "study/-1/about",
        "study/0/film/-1",
    ],
)
def test_no_path_reaches_the_file_system(client, path):
    assert client.get(path).status_code == 404


def test_every_answer_says_what_a_browser_may_do_with_it(client):
    for answer in (client.get(""), client.get("nothing"), client.get(f"http://{HOST}/x")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
