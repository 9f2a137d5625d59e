from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from vernal.errors import ProjectError, SpecError
from vernal.spec import find_project, load_project

MODEL = "model: {name}\ntask: binary\ncode: {code}\nfeatures:\n  numerical: [amount]\n"


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def model(name: str, code: str | None = None) -> str:
    return MODEL.format(name=name, code=code or f"{name}.py")


def problems_of(root: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_project(root)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, {"vernal.yaml": "project: shop\n", "fraud.yaml": model("fraud"), "fraud.py": ""})


def test_a_project_is_found_from_any_folder_inside_it(project: Path) -> None:
    inside = project / "a" / "b"
    inside.mkdir(parents=True)

    assert find_project(inside) == project
    assert load_project(inside).root == project


def test_a_relative_start_gives_absolute_paths(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)

    assert load_project(Path()).root == project


def test_no_project_says_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"found no vernal\.yaml here or in any folder above") as caught:
        find_project(tmp_path / "nowhere")

    assert "vernal init" in str(caught.value.hint)


def test_a_project_knows_where_everything_lies(project: Path) -> None:
    loaded = load_project(project)

    assert loaded.name == "shop"
    assert loaded.state_url == f"sqlite:///{project}/.vernal/state.db"
    assert loaded.registry_uri == f"sqlite:///{project}/.vernal/mlflow.db"
    assert loaded.lake_path == project / ".vernal/lake"
    assert loaded.notifications_path == project / ".vernal/notifications.jsonl"
    assert loaded.jobs_path == project / ".vernal/jobs"
    assert loaded.inbox_path == project / ".vernal/inbox"
    assert loaded.artefacts_path == project / ".vernal/artefacts"
    assert loaded.code_path("fraud") == project / "fraud.py"
    assert loaded.files["fraud"] == project / "fraud.yaml"


def test_urls_that_name_their_place_are_left_as_they_are(tmp_path: Path) -> None:
    loaded = load_project(
        write(
            tmp_path,
            {
                "vernal.yaml": "project: shop\nstate: postgresql+psycopg://u@db/vernal\nregistry: https://mlflow.example.org\n"
                "lake: /data/lake\n",
                "fraud.yaml": model("fraud"),
                "fraud.py": "",
            },
        )
    )

    assert loaded.state_url == "postgresql+psycopg://u@db/vernal"
    assert loaded.registry_uri == "https://mlflow.example.org"
    assert loaded.lake_path == Path("/data/lake")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sqlite:////data/state.db", "sqlite:////data/state.db"),
        ("sqlite:///state.db?timeout=5", "sqlite:///{root}/state.db?timeout=5"),
        ("sqlite+pysqlite:///state.db", "sqlite+pysqlite:///{root}/state.db"),
    ],
)
def test_a_sqlite_path_becomes_absolute_and_the_rest_of_its_url_stays(
    project: Path, written: str, expected: str
) -> None:
    write(project, {"vernal.yaml": f"project: shop\nstate: {written}\n"})

    assert load_project(project).state_url == expected.format(root=project)


def test_a_loaded_project_cannot_be_changed(project: Path) -> None:
    loaded = load_project(project)

    with pytest.raises(FrozenInstanceError):
        loaded.root = Path("/")  # type: ignore[misc]
    with pytest.raises(TypeError):
        loaded.models["other"] = loaded.models["fraud"]  # type: ignore[index]


def test_a_model_that_is_not_there_is_an_error_with_a_guess(project: Path) -> None:
    with pytest.raises(ProjectError, match='found no model "frad", expected one of fraud; did you mean "fraud"'):
        load_project(project).code_path("frad")


def test_models_lie_beside_the_project_file_and_in_models(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "vernal.yaml": "project: shop\n",
            "b.yaml": model("b"),
            "models/a.yaml": model("a", "code/a.py"),
            "deeper/down/c.yaml": "not: a model",
            ".hidden.yaml": "not: a model",
            "notes.yml": "not: a model",
            "b.py": "",
            "models/code/a.py": "",
        },
    )

    loaded = load_project(root)

    assert list(loaded.models) == ["a", "b"]
    assert loaded.code_path("a") == root / "models/code/a.py"


def test_files_and_patterns_name_models_each_once(tmp_path: Path) -> None:
    root = write(
        tmp_path / "shop",
        {
            "vernal.yaml": "project: shop\nmodels: [a.yaml, '*.yaml', 'deep/**/*.yml', ../common/s.yaml]\n",
            "a.yaml": model("a"),
            "b.yaml": model("b"),
            "deep/x/y/c.yml": model("c"),
            "deep/.venv/d.yml": "not: a model",
            "a.py": "",
            "b.py": "",
            "deep/x/y/c.py": "",
        },
    )
    write(tmp_path, {"common/s.yaml": model("s"), "common/s.py": ""})

    assert list(load_project(root).models) == ["a", "b", "c", "s"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("gone.yaml", 'got "gone.yaml", but there is no such file'),
        ("models", 'got "models", but there is no such file'),
        ("x*.yaml", 'got "x*.yaml", which matches no file'),
        ("/etc/*.yaml", "expected a path or pattern relative to the project"),
        ("'**x/*.yaml'", 'got "**x/*.yaml"'),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_entry_that_names_no_file_is_a_problem_on_its_line(project: Path, entry: str, words: str) -> None:
    (project / "models").mkdir()
    write(project, {"vernal.yaml": f"project: shop\nmodels:\n  - fraud.yaml\n  - {entry}\n"})

    (problem,) = problems_of(project)

    assert problem.startswith("vernal.yaml:4: models[1]: ")
    assert words in problem


def test_a_project_without_models_says_where_they_are_looked_for(tmp_path: Path) -> None:
    assert problems_of(write(tmp_path, {"vernal.yaml": "project: shop\n"})) == [
        "vernal.yaml:1: models: found no model file, expected at least one: any *.yaml beside vernal.yaml or in models/"
    ]


def test_the_project_file_is_no_model_file_even_when_it_is_listed(tmp_path: Path) -> None:
    root = write(tmp_path, {"vernal.yaml": "project: shop\nmodels: [vernal.yaml]\n"})

    assert problems_of(root) == ["vernal.yaml:2: models: names no file but vernal.yaml itself"]


def test_another_tools_file_beside_the_project_is_told_apart_in_one_sentence(project: Path) -> None:
    write(project, {"compose.yaml": "# ours\nservices:\n  db: {}\n"})

    (problem,) = problems_of(project)

    assert problem.startswith("compose.yaml:2: is no model file: ")
    assert "list the model files under models in vernal.yaml" in problem


def test_a_listed_file_is_held_to_every_rule(project: Path) -> None:
    write(project, {"vernal.yaml": "project: shop\nmodels: [other.yaml]\n", "other.yaml": "services: {}\n"})

    problems = problems_of(project)

    assert "other.yaml:1: services: unknown key; expected one of model, description" in problems[-1]
    assert [problem.split(": ")[1] for problem in problems[:-1]] == ["model", "task", "code", "features"]


def test_two_models_of_one_name_are_a_problem_in_the_second_file(project: Path) -> None:
    write(project, {"models/z.yaml": "# second\n" + model("fraud"), "models/fraud.py": ""})

    assert problems_of(project) == [
        'models/z.yaml:2: model: got "fraud", the name of the model in fraud.yaml already; expected another one'
    ]


def test_a_missing_code_file_is_a_problem_with_the_path_that_was_tried(project: Path) -> None:
    (project / "fraud.py").unlink()

    (problem,) = problems_of(project)

    assert problem.startswith(f'fraud.yaml:3: code: got "fraud.py", but there is no file {project}/fraud.py; ')


def test_a_code_path_longer_than_the_file_system_allows_is_a_missing_file(project: Path) -> None:
    write(project, {"fraud.yaml": model("fraud", "x" * 400 + ".py")})

    assert "there is no file" in problems_of(project)[0]


def test_all_problems_of_all_files_come_at_once_in_the_order_of_files_and_lines(project: Path) -> None:
    write(
        project,
        {
            "vernal.yaml": "project: shop\nbudget:\n  warn_at: 80\nstat: x\n",
            "a.yaml": "- just\n- a list\n",
            "b.yaml": "",
            "fraud.yaml": "model: fraud\ntask: binary\ncode: gone.py\n"
            "features:\n  numerical: [amount]\n  numerical: [age]\n"
            "gates:\n  min_improvement: 1%\n  flor: 0.8\ntriggers:\n  drift:\n    window: 7\n",
            "models/m.yaml": "model: fraud\ntask: [\n",
        },
    )

    assert [problem.split(": ")[0] for problem in problems_of(project)] == [
        "vernal.yaml:3",
        "vernal.yaml:4",
        "a.yaml:1",
        "b.yaml:1",
        "fraud.yaml:3",
        "fraud.yaml:6",
        "fraud.yaml:8",
        "fraud.yaml:9",
        "fraud.yaml:12",
        "models/m.yaml:3",
    ]


def test_a_broken_project_file_does_not_guess_which_files_are_models(project: Path) -> None:
    write(project, {"vernal.yaml": "project: [\n", "fraud.yaml": "model: ["})

    assert [problem.split(": ")[0] for problem in problems_of(project)] == ["vernal.yaml:2"]


@pytest.mark.parametrize("models", ["5", "fraud.yaml", "[]", "[5]", "[[a]]", "{a: b}", "null"])
def test_models_that_are_no_list_of_names_are_one_problem(project: Path, models: str) -> None:
    write(project, {"vernal.yaml": f"project: shop\nmodels: {models}\n"})

    (problem,) = problems_of(project)

    assert problem.startswith("vernal.yaml:2: models")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("project", "Shop"),
        ("state", "state.db"),
        ("state", "'sqlite://'"),
        ("state", "'sqlite:///:memory:'"),
        ("state", "'sqlite:///file:x?mode=memory'"),
        ("registry", "mlruns"),
        ("lake", "s3://bucket/lake"),
        ("lake", "''"),
    ],
)
def test_a_place_that_cannot_be_used_is_a_problem(project: Path, key: str, value: str) -> None:
    other = "" if key == "project" else "project: shop\n"
    write(project, {"vernal.yaml": f"{other}{key}: {value}\n"})

    (problem,) = problems_of(project)

    assert f": {key}: " in problem


def test_a_password_in_a_url_is_not_repeated(project: Path) -> None:
    write(project, {"vernal.yaml": "project: shop\nstate: 'postgresql://vernal:geheim@db/ vernal'\n"})

    (problem,) = problems_of(project)

    assert "geheim" not in problem
    assert "postgresql://***@db" in problem


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails when it is read, as Linux has")
def test_a_file_that_cannot_be_read_is_a_problem(project: Path) -> None:
    (project / "fraud.yaml").unlink()
    (project / "fraud.yaml").symlink_to("/proc/self/mem")

    assert problems_of(project) == ["fraud.yaml: cannot be read: Input/output error"]


def test_a_project_file_that_is_a_broken_link_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "vernal.yaml").symlink_to(tmp_path / "gone")

    with pytest.raises(ProjectError):
        load_project(tmp_path)


def test_a_path_that_would_cut_its_database_url_short_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "what?", {"vernal.yaml": "project: shop\n"})

    with pytest.raises(ProjectError, match="question mark"):
        load_project(root)


def test_a_project_goes_to_another_process_as_it_is(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "vernal.yaml": "project: p\nmodels: [fraud.yaml]\n",
        "fraud.yaml": model("fraud"),
        "fraud.py": "",
    }
    project = load_project(write(tmp_path, files))
    assert pickle.loads(pickle.dumps(project)) == project  # noqa: S301 - our own bytes
