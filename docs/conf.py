"""What the site is made of. Values only; the work is done in ``_ext``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# Project
project = "Cloud Atlas Gallery"
author = "The Cloud Atlas Gallery authors"
copyright = author
exclude_patterns = ["_build", "_ext"]

# Extensions
extensions = [
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "gallery_key",
    "gallery_hooks",
    "gallery_notebooks",
    "gallery_card",
    "gallery_neuroglancer",
    "gallery_surface",
]
copybutton_exclude = ".linenos, .gp, .go"

# Gallery: sections and their examples in the order in which to learn them
gallery_order = [
    "explore_atlas",
    *("list_atlases", "follow_manifest", "pin_atlas"),
    *("search_terminology", "walk_hierarchy", "coarsen_annotation"),
    *("draw_planes", "outline_structures", "write_names"),
    *("colour_structures", "cut_angle"),
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
}

# HTML
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["gallery.css"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "search_as_you_type": True,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"**": []}
