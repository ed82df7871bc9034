#!/usr/bin/env bash
# Takes the pictures of the documentation anew, from results and with real programs:
#
#   make demo report && docs/images/make.sh results
#
# Needs Debian's qgis, xvfb, imagemagick and chromium. Results should not lie under /tmp: QGIS marks
# layers there as temporary. Pictures have at most 256 colours, to be small.
set -euo pipefail

results=$(realpath "${1:?folder of results}")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

small() { # picture, width...: shrink it and put it beside this script
  convert "$1" -resize "$2>" -dither FloydSteinberg -colors 256 -strip "PNG8:$here/$(basename "$1")"
}

page() { # name, address, size: a page as headless Chromium shows it
  chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
    --hide-scrollbars --user-data-dir="$work/chromium" --virtual-time-budget=20000 \
    --window-size="$3" --screenshot="$work/$1.png" "$2" 2>"$work/chromium.log"
  small "$work/$1.png" 1000x
}

# the project in a window of QGIS, without the browser panel; saved when all is drawn
qgis_window() {
  cat >"$work/window.py" <<'EOF'
import os
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QDockWidget
from qgis.utils import iface

window = iface.mainWindow()
window.setGeometry(0, 0, 1300, 820)
for dock in window.findChildren(QDockWidget):
    if dock.objectName().startswith("Browser"):
        dock.hide()


def save():
    if iface.mapCanvas().isDrawing():
        QTimer.singleShot(2000, save)
        return
    window.grab().save(os.environ["PICTURE"])
    os._exit(0)


QTimer.singleShot(8000, save)
EOF
  mkdir -m 700 "$work/runtime"
  # Debian's own Python: QGIS stops in an activated environment
  PATH=/usr/local/bin:/usr/bin:/bin PICTURE="$work/qgis.png" XDG_RUNTIME_DIR="$work/runtime" QT_QPA_PLATFORM=xcb timeout 300 \
    xvfb-run -a -s '-screen 0 1300x820x24' qgis --nologo --noversioncheck --noplugins \
    --profiles-path "$work/profile" --code "$work/window.py" "$results/wildlens.qgz" \
    >"$work/qgis.log" 2>&1
  small "$work/qgis.png" 1100x
}

# a print layout of the project, exported as a user would
qgis_layout() { # name of the layout, picture
  cat >"$work/layout.py" <<'EOF'
import sys
from qgis.core import QgsApplication, QgsLayoutExporter, QgsProject

application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
project.read(sys.argv[1])
layout = project.layoutManager().layoutByName(sys.argv[2])
settings = QgsLayoutExporter.ImageExportSettings()
settings.dpi = 110
done = QgsLayoutExporter(layout).exportToImage(sys.argv[3], settings)
application.exitQgis()
sys.exit(done != QgsLayoutExporter.Success)
EOF
  QT_QPA_PLATFORM=offscreen PYTHONPATH= /usr/bin/python3 "$work/layout.py" \
    "$results/wildlens.qgz" "$1" "$work/$2.png" >"$work/layout.log" 2>&1
  small "$work/$2.png" 1000x
}

# the report opens at its first page; the page of the run lies beside it
page report "file://$results/report.html" 1280,800
page summary "file://$results/summary.html" 1180,900
page explore "file://$results/explore.html" 1500,1000
qgis_window
qgis_layout Map qgis-layout
cp "$results/figures/map.png" "$work/demo-map.png"
small "$work/demo-map.png" 1120x
for figure in examples=700x overlays=900x methods=800x classes=900x training=950x tiles=720x areas=900x; do
  name=${figure%=*}
  cp "$results/figures/$name.png" "$work/figure-$name.png"
  small "$work/figure-$name.png" "${figure#*=}"
done
ls -l "$here"/*.png
