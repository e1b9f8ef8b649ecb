"""What the site is made of. Values only; the work is done in ``_ext``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# Project
project = "Cloud Atlas Gallery"
author = "The Cloud Atlas Gallery authors"
copyright = author
exclude_patterns = ["_build", "_ext"]
templates_path = ["_templates"]

# Extensions
extensions = [
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_reredirects",
    "sphinx_gallery.gen_gallery",
    # What is built, in this order: some act on what others wrote.
    *("gallery_key", "gallery_hooks", "gallery_notebooks", "gallery_card"),
    *("gallery_find", "gallery_functions", "gallery_catalogue"),
    *("gallery_answers", "gallery_faults", "gallery_benchmarks"),
    *("gallery_neuroglancer", "gallery_surface", "gallery_frames"),
    *("gallery_read", "gallery_cite", "gallery_text", "gallery_takeaway"),
    *("gallery_address", "gallery_noscript", "gallery_light"),
    *("gallery_csp", "gallery_version"),
]
copybutton_exclude = ".linenos, .gp, .go"

# Moved pages: "aws_examples/old" to "new.html", beside the old page
redirects = {}
redirect_html_template_file = "_templates/redirect.html"

# Gallery: sections and their examples in the order in which to learn them
gallery_order = [
    "explore_atlas",
    *("list_atlases", "follow_manifest", "pin_atlas"),
    *("search_terminology", "walk_hierarchy", "coarsen_annotation"),
    *("draw_planes", "scrub_slices", "outline_structures"),
    *("write_names", "colour_structures", "cut_angle"),
    *("measure_structures", "compare_resolutions"),
    *("compare_hemispheres", "describe_shape"),
    *("convert_coordinates", "assign_points", "follow_probe"),
    *("read_slice", "read_mask", "bound_memory", "scale_out", "guard_data"),
    *("build_surface", "read_surface"),
    *("compare_species", "open_neuroglancer", "publish_annotation"),
]
sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["aws_examples"],
    "filename_pattern": r"\.py$",
    "subsection_order": [
        f"../examples/{section}"
        for section in (
            *("atlases", "structures", "slices"),
            *("volumes", "coordinates", "cloud", "surfaces", "sharing"),
        )
    ],
    "within_subsection_order": "gallery_hooks.LearningOrder",
    "capture_repr": (),
    "image_scrapers": "gallery_hooks.figures",
    "image_srcset": ["2x"],
    "reset_modules": ("matplotlib", "gallery_hooks.page"),
    "reset_modules_order": "both",
    "remove_config_comments": True,
    # The card says how long it took.
    "min_reported_time": 86400,
    "show_signature": False,
    "write_computation_times": False,
    # One archive holds them all: gallery_takeaway.
    "download_all_examples": False,
}

# HTML
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_logo = html_favicon = "_static/logo.svg"
html_css_files = ["gallery.css"]
html_js_files = ["theme.js", ("search.js", {"defer": "defer"})]
html_use_index = False
# The link's name is its title: "Link to this heading".
html_permalinks_icon = '<span aria-hidden="true">#</span>'
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "logo": {"text": project},
    "header_links_before_dropdown": 12,
    "navbar_end": ["theme-switcher"],
    "search_as_you_type": True,
    "article_header_end": ["takeaway"],
    "secondary_sidebar_items": ["page-toc", "takeaway", "edit"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"**": []}

# Links that the scheduled check follows
linkcheck_timeout = 15
linkcheck_retries = 3
