package dev.ebb.launcher.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where commands print to, and whether anybody reads it. Java's own {@code System.out} swallows
 * every error, and Java ignores SIGPIPE: {@code ebb wal dump shop | head -1} would go through all
 * of a log for nobody. Other tools end of that signal, quietly; commands here end as quietly, with
 * the status that a shell has for it.
 */
public final class StandardOutput {
  private static final int DESCRIPTOR = 1;
  private static final short POLLERR = 0x8;

  /** {@code struct pollfd} of Linux: a descriptor, the events asked for, and those that came. */
  private static final int POLLFD_BYTES = 8;

  private static final int POLLFD_EVENTS = 4;
  private static final int POLLFD_CAME = 6;

  /** What the first error said. */
  private static volatile @Nullable String failure;

  private StandardOutput() {}

  /** Remembers the first error, which {@code PrintStream} keeps to itself. */
  private static final class Remembering extends FilterOutputStream {
    Remembering(OutputStream out) {
      super(out);
    }

    @Override
    public void write(int b) throws IOException {
      try {
        out.write(b);
      } catch (IOException e) {
        throw remembered(e);
      }
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      try {
        out.write(bytes, offset, length);
      } catch (IOException e) {
        throw remembered(e);
      }
    }

    private static IOException remembered(IOException error) {
      if (failure == null) {
        failure = String.valueOf(error.getMessage());
      }
      return error;
    }
  }

  /** Makes {@code System.out} one whose errors are seen; before anybody prints. */
  public static void watch() {
    Charset charset = System.out.charset();
    System.setOut(
        new PrintStream(new Remembering(new FileOutputStream(FileDescriptor.out)), true, charset));
  }

  /**
   * Whether nobody reads what is printed: whoever did has closed the pipe. Seen before anything is
   * written to it; what goes into a file or to a terminal is always read.
   */
  public static boolean isAbandoned() {
    return isPipe() && (failure != null || hasNoReader());
  }

  /**
   * What a command that ended with {@code code} exits with: something else where what it printed
   * did not get there.
   */
  public static int exitCode(int code) {
    System.out.flush();
    String failed = failure;
    if (code != ExitCodes.OK || failed == null) {
      return code;
    }
    if (isPipe()) {
      return ExitCodes.NOBODY_READS;
    }
    System.err.println("ebb: cannot write to standard output: " + failed);
    return ExitCodes.FAILURE;
  }

  private static boolean isPipe() {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + DESCRIPTOR)).toString();
      return target.startsWith("pipe:") || target.startsWith("socket:");
    } catch (IOException e) {
      return false;
    }
  }

  /** {@code poll(2)}, which tells of a pipe without a reader before it is written to. */
  private static boolean hasNoReader() {
    try (Arena memory = Arena.ofConfined()) {
      MemorySegment asked = memory.allocate(POLLFD_BYTES, Integer.BYTES);
      asked.set(ValueLayout.JAVA_INT, 0, DESCRIPTOR);
      asked.set(ValueLayout.JAVA_SHORT, POLLFD_EVENTS, (short) 0);
      int ready = (int) Poll.FUNCTION.invokeExact(asked, 1L, 0);
      return ready > 0 && (asked.get(ValueLayout.JAVA_SHORT, POLLFD_CAME) & POLLERR) != 0;
    } catch (Throwable e) { // whatever a method handle may throw; then the next write tells
      return false;
    }
  }

  /** Looked up where it is needed: short commands never ask, nor may they call the C library. */
  private static final class Poll {
    static final MethodHandle FUNCTION = find();

    private Poll() {}

    @SuppressWarnings("restricted") // one function of the C library
    private static MethodHandle find() {
      Linker linker = Linker.nativeLinker();
      return linker.downcallHandle(
          linker.defaultLookup().find("poll").orElseThrow(),
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT));
    }
  }
}
