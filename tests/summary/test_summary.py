"""What a run says of itself at its end, and on its page."""

import re

import pytest
from click.testing import CliRunner
from PIL import Image

from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.summary.digest import as_text, read_summary
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


def test_the_end_says_what_where_how_good_and_what_is_wrong(results):
    text = as_text(read_summary(results))
    assert "wildlens.qgz" in text and "maps of lake: gan, occlusion" in text
    assert "182 test tiles: accuracy 0.956, AUROC 0.990, accuracy under FGSM -" in text
    assert "X 0.830, X- 0.280" in text and "0.100" not in text
    assert "taking every pixel: 0.400" in text
    assert re.search(r"gan +0\.420 \[0\.348, 0\.479\]   AUROC 0\.655", text)
    assert text.count("a <b>tiny</b> step fools it") == 1, "said once, however often it was logged"
    assert "3 min 16 s in all jobs; longest: gan, 2 min 6 s" in text


def test_figures_stand_below_each_other_whatever_the_methods_are_called(results):
    lines = as_text(read_summary(results)).splitlines()
    starts = {line.index(" AUROC 0.") for line in lines if "[0." in line}
    assert len(starts) == 1
    controls = {line.split()[0] for line in lines if "(control)" in line}
    assert controls == {"random", "class_shares", "deeplift_randomised"}


def test_half_a_run_is_summed_up_too(tmp_path):
    text = as_text(read_summary(tmp_path))
    assert "nothing yet" in text and "none" in text


def test_the_command_prints_it(results):
    done = CliRunner().invoke(cli, ["summary", str(results)])
    assert done.exit_code == 0 and "Main numbers" in done.output


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("evaluation/methods.csv", b"\xff\xfe\x00", "methods.csv: cannot be read"),
        ("figures/methods.png", b"GIF89a", "methods.png: is no figure"),
    ],
)
def test_what_cannot_be_read_is_named(results, name, content, said):
    (results / name).write_bytes(content)
    with pytest.raises(WildLensError, match=said):
        write_page(results, None, results / "summary.html")
    assert not (results / "summary.html").exists()


def test_without_results_it_says_what_to_run(tmp_path):
    with pytest.raises(WildLensError, match="run snakemake first"):
        read_summary(tmp_path / "results")


def test_the_page_holds_figures_captions_settings_and_needs_no_network(results, tmp_path):
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
    assert not re.findall('(?:src|href)="(?!data:|#)', text)


def test_the_page_sets_the_papers_map_beside_its_best_rival_and_shortens_tables(results):
    output = results / "summary.html"
    write_page(results, None, output)
    text = " ".join(output.read_text(encoding="utf-8").split())
    assert "95 % interval 0.348 to 0.479" in text
    assert "the best other method, occlusion: 0.510" in text, "a control is no rival"
    assert "<td>0.420 (0.348 to 0.479)</td>" in text
    assert "<th>iou_low</th>" not in text
    assert "All columns: <code>evaluation/methods.csv</code>" in text


@pytest.mark.parametrize(
    "caption", [".. include:: /etc/passwd", ".. raw:: html\n\n   <script>1</script>"]
)
def test_a_caption_can_neither_read_files_nor_bring_html(results, tmp_path, caption):
    (tmp_path / "methods.rst").write_text(caption)
    output = results / "summary.html"
    try:
        write_page(results, tmp_path, output)
    except WildLensError as error:
        assert "is no caption" in str(error)
    else:
        text = output.read_text(encoding="utf-8")
        assert "root:" not in text and "<script>" not in text
