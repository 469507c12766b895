"""What is shipped, tried as a whole: image, topology, manifests, upgrade."""
