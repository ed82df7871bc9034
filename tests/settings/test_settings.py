"""The configuration: what is refused and how it is said, and what survives a round trip."""

from datetime import date
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wildlens import settings
from wildlens.errors import WildLensError
from wildlens.registry import methods
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Gan, Settings, Tiles, dump_section, load_section, validate
from wildlens.settings.reference import reference

DEFAULT = Path(__file__).parents[2] / "config.yaml"
SECTIONS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if name not in ("inputs", "anthroprotect", "models", "compare")
}


def configuration(**sections) -> dict:
    """The smallest valid configuration, with sections laid over it."""
    inputs = {"training": [{"name": "a", "product": "a.SAFE"}], "landcover": "c", "areas": "w"}
    return {"inputs": inputs} | sections


def product(**values) -> dict:
    return {"name": "a", "product": "a.SAFE"} | values


BOX, DAYS = [21, 68, 22, 69], ["2023-07-01", "2023-08-31"]


def request(**values) -> dict:
    """A configuration whose only training product is fetched."""
    entry = {"name": "a", "fetch": {"box": BOX, "dates": DAYS}} | values
    return inputs(training=[entry])


def inputs(**values) -> dict:
    return {"inputs": configuration()["inputs"] | values}


def two_dates(**values) -> dict:
    """A configuration that compares two mapped products."""
    mapping = [product(name=name) for name in ("old", "new")]
    return inputs(mapping=mapping) | {"compare": {"before": "old", "after": "new"} | values}


@pytest.mark.parametrize("name", SECTIONS)
def test_defaults_are_valid_and_survive_a_round_trip(name, tmp_path):
    section = SECTIONS[name]()
    path = tmp_path / "section.yaml"
    path.write_text(dump_section(section), encoding="utf-8")
    assert load_section(SECTIONS[name], path) == section
    assert load_section(SECTIONS[name], None) == section
    read = {key for key, field in SECTIONS[name].model_fields.items() if not field.exclude}
    assert set(yaml.safe_load(path.read_text())) == read


@hypothesis.settings(deadline=None)
@given(
    lambda_am=st.floats(0, 100),
    rate=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, 2**31 - 1),
)
def test_values_survive_a_round_trip_exactly(lambda_am, rate, seed):
    section = Gan(lambda_am=lambda_am, rate=rate, seed=seed)
    assert validate(yaml.safe_load(dump_section(section)), Gan) == section


def test_what_is_fetched_lies_where_its_name_says():
    found = validate(request()).inputs.training[0]
    assert found.paths == ["resources/fetched/a/item.json"]
    assert str(found.fetch.dates[0]) == "2023-07-01"
    assert validate(configuration()).inputs.training[0].paths == ["a.SAFE"]


def test_two_dates_may_be_compared_and_pairs_may_be_of_training_products():
    found = validate(two_dates(unchanged=[["a", "old"]])).compare
    assert (found.before, found.after, found.unchanged) == ("old", "new", [("a", "old")])


@pytest.mark.parametrize("of_one", [None, "a-truth.tif"])
@pytest.mark.parametrize("of_another", [None, "b-truth.tif"])
def test_truth_is_given_for_all_training_products_or_none(of_one, of_another):
    one, another = product(truth=of_one), product(name="b", product="b.SAFE", truth=of_another)
    if (of_one is None) == (of_another is None):
        validate(inputs(training=[one, another]))
    else:
        lacking = "b" if of_one else "a"
        with pytest.raises(WildLensError, match=f"`truth` for some products but not for {lacking}"):
            validate(inputs(training=[one, another]))
    validate(inputs(training=[product(name="c")], mapping=[one, another]))


def test_the_embedded_default_is_valid_and_shows_every_section():
    data = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    assert list(data) == list(Settings.model_fields)
    assert [p.name for p in validate(data).inputs.mapping] == ["T35WNT"]


def test_the_embedded_default_agrees_with_the_defaults_of_the_models():
    # a command that is typed without --settings must do what the demo does
    data = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    merged = validate(data)
    for name, model in SECTIONS.items():
        assert getattr(merged, name) == model(), name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        # unknown keys at each depth, with the nearest that is known there
        (configuration(tilse={}), "unknown key 'tilse' (did you mean 'tiles'?)"),
        (
            configuration(gan={"lamda_am": 1}),
            "unknown key 'gan.lamda_am' (did you mean 'lambda_am'",
        ),
        (inputs(landcovr="c"), "unknown key 'inputs.landcovr' (did you mean 'landcover'?)"),
        (
            inputs(training=[product(), product(name="b", trth="t")]),
            "unknown key 'inputs.training.1.trth' (did you mean 'truth'?)",
        ),
        # missing keys
        ({}, "missing key 'inputs'"),
        (two_dates(after="c", before=None), "compare.before: expected a text"),
        # names of two dates
        (two_dates(before="old "), "compare.before: String should match pattern"),
        (two_dates(before="odl"), "compare.before: no product of inputs.mapping is named 'odl'"),
        (two_dates(before="odl"), "(did you mean 'old'?)"),
        (two_dates(after="old"), "`before` and `after` are both 'old': name two products"),
        (two_dates(after="a"), "compare.after: no product of inputs.mapping is named 'a'"),
        (two_dates(unchanged=[["a", "b"]]), "inputs.mapping and inputs.training is named 'b'"),
        (two_dates(unchanged=[["a", "a"]]), "unchanged: 'a' is paired with itself"),
        (two_dates(unchanged=[["a", "old"], ["old", "new"]]), "are the pair that is compared"),
        (two_dates(unchanged=[["new", "old"]]), "'new' and 'old' are the pair that is compared"),
        (two_dates(befor="old"), "unknown key 'compare.befor' (did you mean 'before'?)"),
        (
            configuration(compare={"before": "old", "after": "new"}),
            "compare.before: no product of inputs.mapping is named 'old' (it lists none)",
        ),
        (inputs(training=[{"name": "a"}]), "inputs.training.0: give either `product` (a path) or"),
        # what is to be fetched
        (request(product="a.SAFE"), "inputs.training.0: give either `product` (a path) or `fetch`"),
        (
            request(fetch={"box": BOX}),
            "give an area (`box` or `polygons`) and `dates`, or the",
        ),
        (request(fetch={"dates": DAYS}), "give an area (`box` or `polygons`) and `dates`"),
        (request(fetch={"daets": DAYS}), "'inputs.training.0.fetch.daets' (did you mean 'dates'?)"),
        (request(fetch={"box": BOX, "polygons": "a.gpkg", "dates": DAYS}), "not both"),
        (request(fetch={"box": BOX, "dates": DAYS[::-1]}), "the first and the last day"),
        (request(fetch={"box": [22, 68, 21, 69], "dates": DAYS}), "west < east"),
        (request(fetch={"box": BOX, "dates": ["2023-07-01", "summer"]}), "fetch.dates.1: "),
        (request(fetch={"box": BOX, "dates": DAYS, "tile": "T34WDA"}), "fetch.tile: "),
        (request(fetch={"item": "file:///etc/passwd"}), "fetch.item: "),
        (request(fetch={"item": "https://a:b@c.org/x"}), "fetch.item: "),
        (request(fetch={"item": "https://c.org/x", "dates": DAYS}), "leave out `dates` and `tile`"),
        (configuration(fetch={"catalogue": "usgs"}), "fetch.catalogue: "),
        # values out of range, of the wrong type, or that do not fit together
        (
            configuration(tiles={"size": 130}),
            "tiles.size: Input should be a multiple of 4, found 130",
        ),
        (configuration(tiles={"validation": 0}), "tiles.validation: "),
        (configuration(tiles={"validation": 0.5, "test": 0.5}), "leave a share for training"),
        (configuration(tiles={"anthropogenic_classes": [112, 9]}), "anthropogenic_classes.1: "),
        (configuration(tiles={"anthropogenic_classes": [250]}), "250 is no CORINE code"),
        (
            configuration(tiles={"anthropogenic_classes": [1, 8]}),  # as YAML reads 010
            "is no CORINE code (111 to 523, without a leading zero) or group (1 to 52)",
        ),
        (
            configuration(tiles={"other_classes": {"forest": {"codes": [312, 600]}}}),
            "tiles.other_classes.forest.codes.1: 600 is no CORINE code (111 to 523)",
        ),
        (configuration(classifier={"epochs": "many"}), "classifier.epochs: "),
        (configuration(classifier={"max_rate": float("nan")}), "classifier.max_rate: "),
        (configuration(classifier={"strides": []}), "classifier.strides: "),
        (configuration(gan={"steps": 10}), "gan: pretraining_steps must be fewer than steps"),
        (configuration(gan={"seed": -1}), "gan.seed: "),
        (configuration(gan={"lambda_inactive": 1}), "gan: lambda_inactive must be 0 if "),
        (configuration(scene={"bands": ["B02", "B99"]}), "scene.bands.1: "),
        (configuration(attribution={"methods": ["gan", "lime"]}), "attribution.methods.1: "),
        (configuration(attribution={"occlusion_stride": 17}), "occlusion_stride must not exceed"),
        (configuration(evaluation={"targets": [413]}), "413 is no CORINE code"),
        # what cannot work is refused before anything is computed
        (
            configuration(gan={"crop": 64}),
            "gan.crop: a unet takes whole tiles",
        ),
        (
            configuration(tiles={"size": 132}),
            "tiles.size: a unet of classifier.depth 3 needs a multiple of 8",
        ),
        (
            configuration(classifier={"depth": 6}, tiles={"size": 64}),
            "tiles.size: a unet of classifier.depth 6 needs",
        ),
        (
            configuration(classifier={"strides": [4, 4, 4]}, tiles={"size": 64}),
            "classifier.strides: [4, 4, 4] are too many or too large",
        ),
        (
            configuration(
                classifier={"architecture": "local"},
                attribution={"methods": ["gan", "activation_occlusion"]},
            ),
            "activation_occlusion needs classifier.architecture: unet; leave it out with local",
        ),
        (
            configuration(attribution={"methods": ["deeplift_randomised"]}),
            "'deeplift_randomised' is a control: list it under controls",
        ),
        (
            configuration(anthroprotect="a", tiles={"size": 128}),
            "the tiles of AnthroProtect have 256 px",
        ),
        (configuration(scene={"bands": ["B02", "B02"]}), "bands: B02 is given twice"),
        # values that YAML reads as something else
        (configuration(gan={"crop": "none"}), "crop: 'none' is a text in YAML: write null"),
        (configuration(tiles={"seed": True}), "seed: expected no true or false"),
        (
            inputs(training=[product(name=20230719)]),
            "0.name: expected a text, but YAML reads it as the number 20230719: use quotes",
        ),
        (
            inputs(training=[product(name=date(2023, 7, 19))]),
            "reads it as the date 2023-07-19: use quotes",
        ),
        (configuration(tiles={"balance": 0.5}), "tiles.balance: "),
        (
            configuration(anthroprotect="a", tiles={"balance": 2, "size": 256}),
            "tiles.balance: AnthroProtect",
        ),
        (
            configuration(
                anthroprotect="a",
                tiles={"other_classes": {"forest": {"codes": [312]}}, "size": 256},
            ),
            "tiles.other_classes: AnthroProtect",
        ),
        (configuration(gan={"members": 0}), "gan.members: "),
        (configuration(classifier={"members": 2}), "gan.members: generators are trained through"),
        (
            configuration(classifier={"members": 3}, gan={"members": 2}),
            "set it to classifier.members (3), or set that to 1",
        ),
        (
            inputs(training=[], mapping=[product()])
            | {"models": {"classifier": "c", "generators": "g"}, "gan": {"members": 2}},
            "models: nothing is trained with them; leave out classifier.members and gan.members",
        ),
        (inputs(training=[]), "inputs.training: "),
        (inputs(training=[product(name="../up")]), "inputs.training.0.name: "),
        (
            inputs(mapping=[product(name="parts")]),
            "inputs.mapping.0.name: results/maps/parts is a folder of temporary maps of all scenes:"
            " choose another name, found 'parts'",
        ),
        (inputs(training=[product(name="Members")]), "training.0.name: results/maps/members is a"),
        (inputs(mapping=[product()]), "two products have the same name: a"),
        (
            inputs(training=[product(name="North"), product(name="north", product="b.SAFE")]),
            "names of products differ only by upper and lower case (North, north)",
        ),
        (inputs(mapping=[product(name="A", product="b.SAFE")]), "upper and lower case (a, A)"),
        (
            inputs(training=[product(), product(name="b", product="./a.SAFE")]),
            "two products of `training` use a.SAFE: its tiles would count twice",
        ),
        (inputs(training=[product(product=["a.SAFE", "x/../a.SAFE"])]), "lists a.SAFE twice"),
        (inputs(training=[product(scl=["a.tif", "b.tif"])]), "2 files of `scl` for 1 products"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_that_names_the_key(data, said):
    with pytest.raises(WildLensError) as error:
        validate(data, source="mine.yaml")
    message = str(error.value)
    assert message.startswith("mine.yaml: ") and said in message
    assert "\n" not in message


def test_number_of_members_is_in_no_file_that_a_training_reads():
    # else a further member would train all others again
    for section in (settings.Classifier(members=3), Gan(members=3)):
        assert section.members == 3 and "members" not in section.model_dump()
        assert dump_section(section) == dump_section(type(section)())
    one = validate(configuration(gan={"members": 2}))
    assert settings.dump_members(one) == "classifier: 1\ngan: 2\n"


def test_members_have_seeds_of_their_own():
    assert settings.of_member(Gan(seed=5), 1) == Gan(seed=5)
    seeds = {settings.of_member(Gan(seed=s), k).seed for s in range(20) for k in range(1, 20)}
    assert len(seeds) == 400 - 20 and all(0 <= seed < 2**31 for seed in seeds)
    member = settings.of_member(Gan(seed=5, steps=77), 2)
    assert (member.steps, member.seed) == (77, settings.of_member(Gan(seed=5), 2).seed)


@pytest.mark.parametrize(
    ("classifiers", "generators", "counts"),
    [
        (1, 1, {"gan": 1, "gradcam": 1, "score": 1, "random": 1, "gradcam_randomised": 1}),
        (1, 3, {"gan": 3, "minimizer_contributions": 3, "gradcam": 1, "score": 1, "random": 1}),
        (3, 3, {"gan": 3, "gradcam": 3, "score": 3, "gradcam_randomised": 1, "brightness": 1}),
    ],
)
def test_methods_have_as_many_members_as_what_they_use(classifiers, generators, counts):
    chosen = {"classifier": {"members": classifiers}, "gan": {"members": generators}}
    found = validate(configuration(**chosen))
    assert {name: settings.members_of(name, found) for name in counts} == counts
    assert settings.classifier_of(1, found) == 1
    assert settings.classifier_of(3, found) == classifiers


def test_several_mistakes_are_said_together():
    with pytest.raises(WildLensError, match=r"tiles\.seed: .*; .*unknown key 'gan\.x'"):
        validate(configuration(tiles={"seed": -1}, gan={"x": 1}))


@pytest.mark.parametrize("data", [["gan"], "gan", 3])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(WildLensError, match="expected keys and values"):
        validate(data)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"a: !!python/object:os.system {}"])
def test_a_file_that_is_no_yaml_is_named(tmp_path, content):
    path = tmp_path / "gan.yaml"
    path.write_bytes(content)
    with pytest.raises(WildLensError, match=r"gan\.yaml: cannot be read as YAML") as error:
        load_section(Gan, path)
    assert "\n" not in str(error.value)


def test_a_wrong_value_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "tiles.yaml"
    path.write_text("sise: 64\n")
    with pytest.raises(WildLensError, match=r"tiles\.yaml: unknown key 'sise' .*'size'"):
        load_section(Tiles, path)


def test_an_empty_file_gives_the_defaults(tmp_path):
    path = tmp_path / "gan.yaml"
    path.touch()
    assert load_section(Gan, path) == Gan()


def test_sections_are_frozen():
    with pytest.raises(ValidationError):
        Gan().steps = 3


def test_every_method_can_be_chosen():
    found = [m for m in methods.attributions() if methods.find(m).maps_scenes]
    mapped = [m for m in found if not m.endswith(RANDOMISED)]
    controls = methods.names("control")
    section = settings.Attribution(methods=mapped, controls=list(controls))
    assert section.methods == mapped and tuple(section.controls) == controls
    assert {*section.methods, *section.controls} == set(methods.attributions())


def test_misspelt_method_gets_its_nearest_neighbour():
    with pytest.raises(WildLensError, match=r"methods\.0: unknown name \(did you mean 'gradcam'"):
        validate({"methods": ["gradcamm"]}, settings.Attribution)


def test_what_cannot_map_is_refused_as_a_method():
    with pytest.raises(WildLensError, match=r"class_shares.*under controls"):
        validate({"methods": ["class_shares"]}, settings.Attribution)


def test_groups_hold_codes_that_exist():
    with pytest.raises(WildLensError, match="413 is no CORINE code"):
        validate({"groups": {"marshes": [411, 413]}}, settings.Evaluation)


def test_no_group_takes_the_name_of_the_target_group():
    with pytest.raises(WildLensError, match="cannot be called 'targets'"):
        validate({"groups": {"targets": [412]}}, settings.Evaluation)


def test_the_reference_page_says_what_the_models_say():
    page = Path(__file__).parents[2] / "docs/settings.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m wildlens.settings.reference > docs/settings.md"
    )


def test_the_reference_page_has_every_key_with_its_default_and_range():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    fields = [field.annotation for field in settings.Settings.model_fields.values()]
    sections = [f for f in fields if isinstance(f, type)]
    nested = [settings.Product, settings.FetchRequest, settings.TileClass]
    models = [*sections, settings.Models, settings.Compare, *nested]
    alone = len(fields) - len(sections)
    assert len(rows) == alone + sum(len(model.model_fields) for model in models)
    size = next(row for row in rows if row.startswith("| `size` | `128`"))
    assert "≥ 32" in size and "≤ 1024" in size and "multiple of 4" in size
    assert not [row for row in rows if row.endswith("|  |")], "a key without a description"
    assert any("`zero`, `mean`" in row for row in rows)


@pytest.mark.parametrize("section", SECTIONS)
def test_empty_section_has_its_defaults(section):
    assert getattr(validate(configuration(**{section: None})), section) == SECTIONS[section]()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseed: 2", "line 2: the key 'seed' is given twice"),
        ("gan: {steps: 1, steps: 2}", "line 1: the key 'steps' is given twice"),
        ("seed: 0123", "line 1: 0123 is ambiguous: write 123"),
        ("codes: [111, 010]", "line 1: 010 is ambiguous: write 10"),
        ("time: 1:30", "line 1: 1:30 is ambiguous"),
    ],
)
def test_yaml_that_loses_or_changes_values_is_refused(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(WildLensError) as error:
        settings.read_yaml(path)
    assert said in str(error.value) and "mine.yaml" in str(error.value)


def test_unambiguous_yaml_is_read_as_written(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: 0\nb: 0.5\nc: 372_000\nd: &x {e: 1}\nf: {<<: *x, e: 2}\n")
    assert settings.read_yaml(path) == {
        "a": 0, "b": 0.5, "c": 372000, "d": {"e": 1}, "f": {"e": 2}
    }  # fmt: skip


@pytest.mark.parametrize("method", methods.attributions())
def test_settings_of_a_method_are_those_it_reads(method):
    step = settings.fields_read(method, "attribute")
    assert {"max_tiles", "batch_size"} <= set(step) and not {"methods", "parts", "window"} & {*step}
    assert ("occlusion_stride" in step) == method.startswith("occlusion")
