#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input and faults, with the real programs: each gives one clear message, is counted, and neither ends a
process that runs nor keeps it from serving the others."""
import faults_data
import faults_disk
import faults_peers
import faults_start
from world import main

if __name__ == "__main__":
    main(*faults_start.TESTS, *faults_peers.TESTS, *faults_data.TESTS, *faults_disk.TESTS)
