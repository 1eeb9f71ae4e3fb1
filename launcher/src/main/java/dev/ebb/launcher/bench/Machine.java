package dev.ebb.launcher.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What a result depends on.
 *
 * @param fsyncMicros median of writing 8 KiB at a file's end and {@code fdatasync}, where the bare
 *     PostgreSQL has its files
 */
record Machine(
    int cores, long memoryBytes, String cpu, String kernel, String fileSystem, double fsyncMicros) {
  private static final int FSYNCS = 101;
  private static final int FSYNC_BYTES = 8192;

  static Machine look(Path scratch) {
    try {
      return new Machine(
          Runtime.getRuntime().availableProcessors(),
          firstNumber("/proc/meminfo", "MemTotal:") * 1024,
          field("/proc/cpuinfo", "model name").replaceFirst("^\\s*:\\s*", ""),
          System.getProperty("os.name") + " " + System.getProperty("os.version"),
          Files.getFileStore(scratch).type(),
          medianFsyncMicros(scratch));
    } catch (IOException e) {
      throw new BenchFailure("cannot look at the machine: " + e.getMessage(), e);
    }
  }

  String words() {
    return String.format(
        Locale.ROOT,
        "%d cores, %.1f GB of memory, %s, %s; files on %s, fdatasync %.0f µs",
        cores,
        memoryBytes / 1e9,
        cpu,
        kernel,
        fileSystem,
        fsyncMicros);
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("cores", cores);
    json.put("memoryBytes", memoryBytes);
    json.put("cpu", cpu);
    json.put("kernel", kernel);
    json.put("fileSystem", fileSystem);
    json.put("fdatasyncMicros", fsyncMicros);
    return json;
  }

  private static double medianFsyncMicros(Path scratch) throws IOException {
    Path file = Files.createTempFile(scratch, "fsync", "");
    var samples = new Samples();
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      for (int i = 0; i < FSYNCS; i++) {
        long beginNanos = System.nanoTime();
        channel.write(ByteBuffer.allocate(FSYNC_BYTES));
        channel.force(false);
        samples.addNanos(System.nanoTime() - beginNanos);
      }
    } finally {
      Files.delete(file);
    }
    return samples.summary().p50Ms() * 1e3;
  }

  private static long firstNumber(String file, String name) {
    String digits = field(file, name).replaceAll("[^0-9]", "");
    return digits.isEmpty() ? 0 : Long.parseLong(digits);
  }

  /** The rest of the first line that begins with the name; empty where there is none. */
  private static String field(String file, String name) {
    try (Stream<String> lines = Files.lines(Path.of(file))) {
      return lines
          .filter(line -> line.startsWith(name))
          .map(line -> line.substring(name.length()).strip())
          .findFirst()
          .orElse("");
    } catch (IOException e) {
      return "";
    }
  }
}
