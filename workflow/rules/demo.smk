# Demo: a simulated region in the file formats of real data.
#
# Input: none. Output: Sentinel-2 products, CORINE land cover and protected areas under
# resources/demo. Runs only if the configuration names one of these files.


rule demo:
    """Simulate a region: products, land cover, protected areas, and reference land cover."""
    input:
        settings="results/settings/demo.yaml",
    output:
        products=update(
            directory(
                [
                    "resources/demo/S2A_MSIL2A_20180712T102021_N0208_R065_T34WDA_20180712T134159.SAFE",
                    "resources/demo/S2B_MSIL2A_20190724T102029_N0213_R065_T34WEA_20190724T131520.SAFE",
                    "resources/demo/S2A_MSIL2A_20220710T101611_N0400_R065_T34WDB_20220710T163204.SAFE",
                    "resources/demo/S2B_MSIL2A_20230719T100559_N0509_R022_T35WMT_20230719T113805.SAFE",
                    "resources/demo/S2A_MSIL2A_20230723T101601_N0509_R065_T35WNT_20230723T150312.SAFE",
                    "resources/demo/S2A_MSIL2A_20250722T101601_N0511_R065_T35WNT_20250722T151233.SAFE",
                ]
            )
        ),
        landcover=update("resources/demo/U2018_CLC2018_V2020_20u1_demo.tif"),
        areas=update("resources/demo/WDPA_WDOECM_demo.gpkg"),
        truths=update(
            expand(
                "resources/demo/truth/{tile}.tif",
                tile=["T34WDA", "T34WEA", "T34WDB", "T35WMT", "T35WNT", "T35WNT_2025"],
            )
        ),
        checksum="results/checksums/demo.txt",
    log:
        "results/logs/demo.log",
    benchmark:
        "results/benchmarks/demo.tsv"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.demo.step"),
        contents=contents_of("demo"),
        folder=subpath(output.landcover, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} demo --output {params.folder:q}"
        " --settings {input.settings:q}"
