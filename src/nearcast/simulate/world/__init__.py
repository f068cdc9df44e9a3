"""I am a small world in virtual time: loop, network, hosts and disks, all from one seed."""
