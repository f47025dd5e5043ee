"""Networks computed by OpenVINO in place of torch: converted once and kept, then stood in for while a job is drawn."""
