package dev.ebb.computeservice.lifecycle;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a process and its children use of memory, from {@code /proc/PID/status}: anonymous and file
 * pages of each, shared memory of the one that maps most of it.
 */
final class ProcessMemory {
  private static final Logger log = LoggerFactory.getLogger(ProcessMemory.class);

  private ProcessMemory() {}

  /** In bytes; 0 where the process is gone. */
  static long ofTree(long pid) {
    if (pid <= 0) {
      return 0;
    }
    ProcessHandle root = ProcessHandle.of(pid).orElse(null);
    if (root == null) {
      return 0;
    }
    long ownKb = 0;
    long sharedKb = 0;
    for (ProcessHandle process : Stream.concat(Stream.of(root), root.descendants()).toList()) {
      try {
        for (String line :
            Files.readAllLines(
                Path.of("/proc", Long.toString(process.pid()), "status"),
                StandardCharsets.ISO_8859_1)) {
          if (line.startsWith("RssAnon:")) {
            ownKb += kilobytes(line);
          } else if (line.startsWith("RssShmem:")) {
            sharedKb = Math.max(sharedKb, kilobytes(line));
          }
        }
      } catch (IOException e) {
        log.trace("process {} has ended meanwhile", process.pid(), e);
      }
    }
    return (ownKb + sharedKb) * 1024;
  }

  private static long kilobytes(String line) {
    return Long.parseLong(line.replaceAll("\\D+", ""));
  }
}
