"""The real world behind the ports: one small file each."""
