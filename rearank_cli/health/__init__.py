"""What of this machine is ready for the main job: retrieve, rerank, eval."""
