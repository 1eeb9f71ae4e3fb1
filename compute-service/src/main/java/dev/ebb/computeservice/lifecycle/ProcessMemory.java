package dev.ebb.computeservice.lifecycle;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
    long ownKb = 0;
    long sharedKb = 0;
    for (long process : withChildren(pid)) {
      try {
        for (String line :
            Files.readAllLines(
                Path.of("/proc", Long.toString(process), "status"), StandardCharsets.ISO_8859_1)) {
          if (line.startsWith("RssAnon:")) {
            ownKb += kilobytes(line);
          } else if (line.startsWith("RssShmem:")) {
            sharedKb = Math.max(sharedKb, kilobytes(line));
          }
        }
      } catch (IOException e) {
        log.trace("process {} has ended meanwhile", process, e);
      }
    }
    return (ownKb + sharedKb) * 1024;
  }

  /**
   * Every process of PostgreSQL is a child of its postmaster. The kernel lists those of one process
   * ({@code proc(5)}, where it is built in); what Java has reads of every process of the machine.
   */
  private static List<Long> withChildren(long pid) {
    var all = new ArrayList<Long>();
    all.add(pid);
    String name = Long.toString(pid);
    try {
      String children = Files.readString(Path.of("/proc", name, "task", name, "children"));
      for (String child : children.strip().split(" ", -1)) {
        if (!child.isEmpty()) {
          all.add(Long.parseLong(child));
        }
      }
    } catch (IOException e) {
      log.trace("the children of {} are not listed", pid, e);
      ProcessHandle.of(pid)
          .ifPresent(root -> root.children().map(ProcessHandle::pid).forEach(all::add));
    }
    return all;
  }

  private static long kilobytes(String line) {
    return Long.parseLong(line.replaceAll("\\D+", ""));
  }
}
