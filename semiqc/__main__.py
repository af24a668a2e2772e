"""``python -m semiqc`` is the command ``semiqc``."""

import sys

from semiqc.cli import main

sys.exit(main())
