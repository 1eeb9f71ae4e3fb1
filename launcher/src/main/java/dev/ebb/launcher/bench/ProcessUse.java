package dev.ebb.launcher.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What a process takes of the machine, as Linux counts it ({@code proc(5)}). */
final class ProcessUse {
  /** {@code USER_HZ}, which is 100 on every Linux that Ebb runs on. */
  private static final long MICROS_PER_TICK = 10_000;

  /** Behind the name, which is in parentheses and may hold anything. */
  private static final int USER_TICKS = 11;

  private static final int KERNEL_TICKS = 12;

  private ProcessUse() {}

  /** Processor time since its start, of all its threads. */
  static long cpuMicros(long pid) {
    String stat = read(pid, "stat");
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return (Long.parseLong(fields[USER_TICKS]) + Long.parseLong(fields[KERNEL_TICKS]))
        * MICROS_PER_TICK;
  }

  /** Memory that it has in use by now. */
  static long residentBytes(long pid) {
    return read(pid, "status")
            .lines()
            .filter(line -> line.startsWith("VmRSS:"))
            .map(line -> line.replaceAll("[^0-9]", ""))
            .mapToLong(Long::parseLong)
            .findFirst()
            .orElseThrow(() -> new BenchFailure("process " + pid + " has ended"))
        * 1024;
  }

  /** Its open files, sockets among them. */
  static long openFiles(long pid) {
    try (Stream<Path> files = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
      return files.count();
    } catch (IOException e) {
      throw new BenchFailure("cannot look at process " + pid + ": " + e.getMessage(), e);
    }
  }

  private static String read(long pid, String file) {
    try {
      return Files.readString(Path.of("/proc", Long.toString(pid), file));
    } catch (IOException e) {
      throw new BenchFailure("cannot look at process " + pid + ": " + e.getMessage(), e);
    }
  }
}
