"""Average precision and recall over a data set, as COCO defines them."""
