"""The digest of a run on the console, and its page."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from result_folder import TRAINED_ON, UNLIKE, write_map
from safetensors.numpy import save_file

from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.files.origin import UNKNOWN
from wildlens.summary.digest import as_text, read_summary
from wildlens.summary.run import parse_run
from wildlens.summary.step import write_page

WARNED = "classifier: WARNING: a <b>tiny</b> step fools it"


@pytest.fixture
def results(tmp_path):
    """A results folder as a run leaves it, with the least in it."""
    files = {
        "metrics/classifier/accuracy.csv": "split,tiles,accuracy,auroc,fgsm_accuracy\n"
        "val,9,0.5,0.5,0.5\ntest,182,0.95604,0.99,\n",
        "evaluation/methods.csv": "method,reference,tiles,iou,iou_low,iou_high,auroc,target_share\n"
        "gan,corine,79,0.42,0.348,0.479,0.655,0.4\nrandom,corine,79,0.4,,,0.5,0.4\n"
        "occlusion,corine,79,0.51,0.4,0.6,0.7,0.4\nsaliency,corine,79,0.2,0.15,0.3,0.6,0.4\n"
        "class_shares,corine,79,1,1,1,1,0.4\ndeeplift_randomised,corine,79,0.6,,,0.5,0.4\n",
        "evaluation/scores.csv": "split,image,mean_score\ntest,X,0.83\ntest,X-,0.28\nval,X,0.1\n",
        "evaluation/provenance.json": '{"wildlens_inputs": "{\\"gan.tif\\": \\"3e8b\\"}"}',
        "logs/classifier.log": f"epoch 1\n{WARNED}\n{WARNED}\n",
        "logs/map/lake/gan.log": "map: fine\n",
        "benchmarks/gan.tsv": "s\th:m:s\n125.5\t0:02:05\n",
        "benchmarks/map/lake/gan.tsv": "s\n30\n",
        "benchmarks/map/lake/occlusion.tsv": "s\n40\n",
        "settings/gan.yaml": "lambda_am: 0.3\n",
        "maps/lake/gan.tif": "",
        "maps/lake/occlusion.tif": "",
        "wildlens.qgz": "",
    }
    for name, text in files.items():
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "results/figures").mkdir()
    Image.new("RGB", (2200, 300), "red").save(tmp_path / "results/figures/methods.png")
    return tmp_path / "results"


def test_text_has_results_numbers_warnings_and_time(results):
    text = as_text(read_summary(results))
    assert "wildlens.qgz" in text and "maps of lake: gan, occlusion" in text
    assert "182 test tiles: accuracy 0.956, AUROC 0.990, accuracy under FGSM -" in text
    assert "X 0.830, X- 0.280" in text and "0.100" not in text
    assert "marking every pixel: 0.400" in text
    assert re.search(r"gan +0\.420 \[0\.348, 0\.479\]   AUROC 0\.655", text)
    assert text.count("a <b>tiny</b> step fools it") == 1, "said once, however often it was logged"
    assert "3 min 16 s in all jobs; longest: gan, 2 min 6 s" in text


def test_numbers_are_aligned_for_methods_of_any_length(results):
    lines = as_text(read_summary(results)).splitlines()
    starts = {line.index(" AUROC 0.") for line in lines if "[0." in line}
    assert len(starts) == 1
    controls = {line.split()[0] for line in lines if "(control)" in line}
    assert controls == {"random", "class_shares", "deeplift_randomised"}
    (shares,) = (line for line in lines if "class_shares" in line)
    assert shares.endswith("made from this land cover")
    assert any("Another training gives other maps" in line for line in lines)


def test_text_of_an_unfinished_run_has_what_exists(tmp_path):
    text = as_text(read_summary(tmp_path))
    assert "none yet" in text and "none" in text


@pytest.fixture
def mapped(results):
    """The results with a map that states its models' origin, and logs of conditions."""
    path = results / "maps/lake/gan.tif"
    write_map(path, "gan", np.ones((40, 40)))
    line = "gan: conditions: 2026-07-01 12:00 UTC, Linux x86_64, 2 cores, 2 threads, <b>CPU</b>"
    log = results / "logs/train_gan.log"
    log.write_text(f"{line.replace('12:00', '11:00')}\n{line}\nmap: WARNING: {UNLIKE}\n")
    return results


def test_digest_states_origin_of_models_and_warning_once(mapped):
    summary = read_summary(mapped)
    assert summary.origin == TRAINED_ON
    assert summary.warnings.count(f"map: {UNLIKE}") == 1, "in the log and in the map's tags"
    assert f"Models\n  {TRAINED_ON}\n" in as_text(summary)


def test_page_states_origin_and_conditions(mapped):
    write_page(mapped, None, mapped / "summary.html")
    page = " ".join((mapped / "summary.html").read_text(encoding="utf-8").split())
    assert f"The models of this run: {TRAINED_ON}." in page
    assert "2026-07-01 12:00 UTC, Linux x86_64, 2 cores, 2 threads, &lt;b&gt;CPU" in page
    assert "11:00" not in page, "of several attempts the last"
    assert re.search(r"this page</td><td class=\"text\">\d{4}-\d\d-\d\d .* cores, Python 3", page)


def test_origin_is_of_models_without_maps(results):
    save_file({"w": np.zeros(1)}, make(results / "models/classifier.safetensors"), {"kind": "x"})
    assert read_summary(results).origin == UNKNOWN


def make(path):
    path.parent.mkdir()
    return path


def test_command_prints_the_text(results):
    done = CliRunner().invoke(cli, ["summary", str(results)])
    assert done.exit_code == 0 and "Main numbers" in done.output


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("evaluation/methods.csv", b"\xff\xfe\x00", "methods.csv: cannot be read"),
        ("figures/methods.png", b"GIF89a", "methods.png: is no figure"),
    ],
)
def test_unreadable_files_are_named(results, name, content, said):
    (results / name).write_bytes(content)
    with pytest.raises(WildLensError, match=said):
        write_page(results, None, results / "summary.html")
    assert not (results / "summary.html").exists()


def test_missing_folder_names_what_to_run(tmp_path):
    with pytest.raises(WildLensError, match="run snakemake first"):
        read_summary(tmp_path / "results")


def test_page_holds_figures_captions_settings_and_needs_no_network(results, tmp_path):
    captions = tmp_path / "captions"
    captions.mkdir()
    (captions / "methods.rst").write_text("How *well* it does.\n")
    output = results / "summary.html"
    write_page(results, captions, output)
    text = output.read_text(encoding="utf-8")
    assert "<em>well</em>" in text and "lambda_am: 0.3" in text and "3e8b" in text
    assert text.count("data:image/webp;base64,") == 1
    assert "a &lt;b&gt;tiny&lt;/b&gt; step" in text, "what a log says is text, not HTML"
    assert "<script" not in text
    assert not re.findall('src="(?!data:)', text)
    links = set(re.findall('href="([^#"][^"]*)"', text))
    assert {"wildlens.qgz", "maps/lake/gan.tif", "figures/methods.png"} <= links
    assert all((results / link).exists() for link in links)


def test_page_compares_with_the_best_rival_and_shortens_tables(results):
    output = results / "summary.html"
    write_page(results, None, output)
    text = " ".join(output.read_text(encoding="utf-8").split())
    assert "95 % interval 0.348 to 0.479" in text
    assert "the best other method, occlusion: 0.510" in text, "a control is no rival"
    parts = ("0.420", "(0.348 to 0.479)")
    assert " ".join(f'<span class="nowrap">{part}</span>' for part in parts) in text
    assert "target_<wbr>share" in text and "iou_<wbr>low" not in text
    assert 'All columns: <a href="evaluation/methods.csv">evaluation/methods.csv</a>' in text


@pytest.mark.parametrize(
    "caption", [".. include:: /etc/passwd", ".. raw:: html\n\n   <script>1</script>"]
)
def test_captions_can_include_neither_files_nor_html(results, tmp_path, caption):
    (tmp_path / "methods.rst").write_text(caption)
    output = results / "summary.html"
    try:
        write_page(results, tmp_path, output)
    except WildLensError as error:
        assert "is no caption" in str(error)
    else:
        text = output.read_text(encoding="utf-8")
        assert "root:" not in text and "<script>" not in text


EMPTY = {"maps": {"scene": [], "method": []}, "jobs": {}, "settings": [], "files": []}
RUN = {
    "maps": {"scene": ["lake"], "method": ["gan", "score"]},
    "settings": ["gan", "tiles"],
    "files": ["evaluation/warnings.txt", "maps"],
    "jobs": {
        "classifier": {},
        "map/{scene}/{method}": {"scene": ["lake"], "method": ["gan", "score"]},
        "gan": {},
    },
}


def test_warnings_of_a_further_member_name_it(results):
    for name in ("train_classifier", "train_classifier-2"):
        (results / f"logs/{name}.log").write_text("classifier: WARNING: is at chance\n")
    found = read_summary(results).warnings
    assert {"classifier: is at chance", "classifier: is at chance (member 2)"} <= set(found)


@pytest.fixture
def with_old_files(results):
    """The same folder after runs of other configurations: another scene, method, step, section."""
    old = {
        "logs/map/hill/gan.log": "map: WARNING: hill has no valid pixel: the map is empty\n",
        "logs/map/lake/occlusion.log": "map: WARNING: of a method that was taken out\n",
        "logs/mosaic.log": "mosaic: WARNING: of a step that no longer exists\n",
        "benchmarks/map/hill/gan.tsv": "s\n7000\n",
        "benchmarks/mosaic.tsv": "s\n9000\n",
        "settings/fetch.yaml": "catalogue: old\n",
        "settings/mosaic.yaml": "old: true\n",
        "maps/hill/gan.tif": "",
        "evaluation/warnings.txt": "few blocks\n",
        "metrics/gan/warnings.txt": "none\n",
    }
    for name, text in old.items():
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return results


def test_text_and_page_show_only_what_belongs_to_the_run(with_old_files):
    run = json.dumps(RUN)
    text = as_text(read_summary(with_old_files, parse_run(run)))
    output = with_old_files / "summary.html"
    arguments = ["summary", str(with_old_files), "--run", run]
    printed = CliRunner().invoke(cli, arguments).output
    assert CliRunner().invoke(cli, [*arguments, "-o", str(output)]).exit_code == 0
    page = output.read_text(encoding="utf-8")
    for shown in (text, printed, page):
        assert "lake" in shown and "step fools it" in shown and "evaluate: few blocks" in shown
        for old in ("hill", "taken out", "mosaic", "no valid pixel", "gan: none"):
            assert old not in shown, old
    assert "maps of lake: gan\n" in text, "neither occlusion's map nor one that does not exist"
    assert "2 min 36 s in all jobs; longest: gan, 2 min 6 s" in text
    assert "lambda_am" in page and "catalogue: old" not in page and "old: true" not in page


# job -> its results that text or page show
SHOWN = {
    "train_classifier": [
        "metrics/classifier/accuracy.csv",
        "metrics/classifier/warnings.txt",
        "models/classifier.safetensors",
    ],
    "train_gan": ["metrics/gan/warnings.txt"],
    "evaluate": [
        *(f"evaluation/{name}.csv" for name in ("methods", "scores", "classes")),
        *("evaluation/warnings.txt", "evaluation/provenance.json"),
    ],
    "confidence": [
        "confidence/warnings.txt",
        *("confidence/calibration.csv", "confidence/filtered.csv"),
    ],
    "area_statistics": ["area_statistics.csv"],
    "figures": [f"figures/{name}.png" for name in ("training", "map", "areas")],
    "qgis": ["wildlens.qgz"],
    "explore": ["explore.html"],
    "catalogue": ["stac/catalog.json"],
}
CONTENT = {
    "metrics/classifier/accuracy.csv": "split,tiles,accuracy,auroc,fgsm_accuracy\n"
    "test,9,0.123,1,1\n",
    "evaluation/methods.csv": "method,reference,tiles,target_share,iou,iou_low,iou_high,auroc\n"
    "gan,corine,80,0.3,0.234,0.2,0.3,0.9\n",
    "evaluation/scores.csv": "split,image,mean_score\ntest,X,0.345\n",
    "evaluation/provenance.json": '{"wildlens_inputs": "{\\"old.tif\\": \\"3e8b\\"}"}',
    "area_statistics.csv": "site_id,name,category,designation,zone,area_km2,covered_km2,"
    "covered_share,score_mean,score_share_below_half\n1,Old Park,II,NP,inside,1,1,1,0.456,0.1\n",
}
# what text and page say of a result, if not its name
SAID = {
    "metrics/classifier/accuracy.csv": "0.123",
    "models/classifier.safetensors": UNKNOWN,
    "evaluation/methods.csv": "0.234",
    "evaluation/scores.csv": "0.345",
    "evaluation/provenance.json": "old.tif",
    "area_statistics.csv": "Old Park",
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A folder with a result of every job."""
    folder = tmp_path_factory.mktemp("everything")
    for name in (name for names in SHOWN.values() for name in names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.new("RGB", (20, 10)).save(path)
        elif path.suffix == ".safetensors":
            save_file({"w": np.zeros(1)}, path, {"kind": "x"})
        else:
            path.write_text(CONTENT.get(name, f"warning of {name}\n"))
    return folder


@pytest.mark.parametrize("missing", [None, *SHOWN])
def test_results_of_a_job_that_the_run_lacks_are_not_shown(everything, tmp_path, missing):
    files = [name for job, names in SHOWN.items() if job != missing for name in names]
    run = parse_run(json.dumps(EMPTY | {"files": files}))
    write_page(everything, None, tmp_path / "page.html", run)
    shown = as_text(read_summary(everything, run)) + (tmp_path / "page.html").read_text("utf-8")
    for job, names in SHOWN.items():
        for name in names:
            said = SAID.get(name, f"warning of {name}" if name.endswith(".txt") else name)
            assert (said in shown) == (job != missing), name


def test_without_a_run_all_that_the_folder_holds_is_shown(with_old_files):
    summary = read_summary(with_old_files)
    assert summary.maps == {"hill": ["gan"], "lake": ["gan", "occlusion"]}
    assert summary.seconds["mosaic"] == 9000 and set(summary.settings) >= {"fetch", "gan"}
    assert any("hill has no valid pixel" in line for line in summary.warnings)


def test_a_run_expands_all_combinations():
    run = parse_run(
        json.dumps(
            {
                "maps": {"method": ["gan"], "scene": ["a", "b"]},
                "settings": [],
                "files": [],
                "jobs": {"tiles": {}, "fetch/{scene}": {"scene": []},
                         "map/{s}/{m}": {"s": ["a", "b"], "m": ["x", "y"]}},
            }
        )
    )  # fmt: skip
    assert run.maps == [("a", "gan"), ("b", "gan")]
    assert run.jobs == ["tiles", "map/a/x", "map/a/y", "map/b/x", "map/b/y"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "expected maps, jobs, files and settings"),
        ({"jobs": {"map/{scene}": {}}}, "expected maps, jobs, files and settings"),
        ({"jobs": ["map"]}, "expected maps, jobs, files and settings"),
        ({"maps": {"scene": ["a"]}}, "expected maps, jobs, files and settings"),
        ({"other": 1}, "expected maps, jobs, files and settings"),
        ({"settings": ["../../etc/passwd"]}, "outside the folder"),
        ({"files": ["../methods.csv"]}, "outside the folder"),
        ({"jobs": {"/etc/{x}": {"x": ["passwd"]}}}, "outside the folder"),
        ({"maps": {"scene": [".."], "method": ["gan"]}}, "outside the folder"),
    ],
)
def test_a_run_of_another_form_is_refused(change, said):
    text = "{" if change is None else json.dumps(RUN | change)
    with pytest.raises(WildLensError, match=said) as error:
        parse_run(text)
    assert "\n" not in str(error.value)


def test_a_broken_benchmark_file_is_named(results):
    (results / "benchmarks/gan.tsv").write_text("seconds\n3\n")
    with pytest.raises(WildLensError, match="is no benchmark file"):
        read_summary(results)


def test_what_has_no_evidence_is_said(results):
    path = results / "evaluation/methods.csv"
    head, first, *rest = path.read_text().splitlines()
    lines = [f"{head},note", f"{first},no evidence: marks no pixel", *(f"{r}," for r in rest)]
    path.write_text("\n".join(lines))
    text = as_text(read_summary(results))
    assert text.count("no evidence") == 1
    assert re.search(r"gan .* no evidence: marks no pixel$", text, re.MULTILINE)


def test_page_has_the_largest_sites_beside_their_rings(results):
    head = "site_id,name,category,designation,zone,area_km2,covered_km2,covered_share,score_mean,"
    lines = [f"{head}score_share_below_half"]
    for number in range(30):
        site = f"{number},Fell {number} <b>{'long ' * 20},Ia,Reserve"
        lines.append(f"{site},inside,{number},{number},1,0.{number + 10},0.2")
        lines.append(f"{site},ring,{number},{number},1,,")
    (results / "area_statistics.csv").write_text("\n".join(lines))
    write_page(results, None, results / "summary.html")
    page = (results / "summary.html").read_text(encoding="utf-8")
    assert "Protected areas" in page and "Fell 29 &lt;b&gt;long" in page and "0.39" in page
    assert "Fell 9 " not in page and "long " * 20 not in page
    assert page.index("Fell 29") < page.index("Fell 10")
    link = '<a href="area_statistics.csv">area_statistics.csv</a>'
    assert f"All columns: {link}" in " ".join(page.split())


def with_two_dates(results) -> None:
    """Changes of three areas, of which one is beyond the noise of the score."""
    head = "site_id,name,category,designation,method,unit,before,after,covered_share,change_mean,"
    lines = [f"{head}ring_change_mean,noise_low,noise_high,beyond_noise"]
    for site, change, beyond in (("Bog", -0.01, "no"), ("Fell", -0.3, "yes"), ("Tiny", "", "")):
        for method in ("score", "gan"):
            marked = beyond if method == "score" else "no"
            lines.append(f"1,{site},Ia,Reserve,{method},x,old,new,1,{change},0,-0.1,0.1,{marked}")
    path = results / "compare/old_new/areas.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines))
    (results / "settings/compare.yaml").write_text("before: old\nafter: new\n")


def test_changes_between_dates_are_on_page_and_console(results):
    with_two_dates(results)
    text = as_text(read_summary(results))
    assert "change of score from old to new: 1 of 3 protected areas beyond the noise: Fell" in text
    write_page(results, None, results / "summary.html")
    page = (results / "summary.html").read_text(encoding="utf-8")
    assert "Change between two dates" in page and "change of score" in page
    assert page.index("Fell") < page.index("Bog")
    assert '<a href="compare/old_new/areas.csv">' in page


def test_changes_of_an_earlier_configuration_are_not_shown(results):
    with_two_dates(results)
    run = parse_run(json.dumps(EMPTY))
    assert read_summary(results, run).changes == []


def test_page_without_sites_has_no_table_of_them(results):
    (results / "area_statistics.csv").write_text("site_id,name,zone,covered_km2\n")
    write_page(results, None, results / "summary.html")
    assert "Protected areas" not in (results / "summary.html").read_text(encoding="utf-8")
