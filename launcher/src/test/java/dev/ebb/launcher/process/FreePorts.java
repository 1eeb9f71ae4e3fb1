package dev.ebb.launcher.process;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Ports that nobody listens on just now, nor takes until a process has started that is to: none is
 * of the range that the kernel gives to connections and to whoever asks for any port (from 32768 on
 * unless set), none is given twice, and test processes that run side by side have ranges of their
 * own.
 */
public final class FreePorts {
  private static final int FIRST = 10_000;
  private static final int PER_FORK = 5_000;
  private static final int FORKS = 4;

  private static final Set<Integer> GIVEN = new HashSet<>();
  private static final Random RANDOM = new Random();

  private FreePorts() {}

  public static synchronized List<Integer> take(int count) throws IOException {
    List<Integer> ports = new ArrayList<>();
    while (ports.size() < count) {
      int port =
          FIRST
              + Integer.getInteger("surefire.forkNumber", 0) % FORKS * PER_FORK
              + RANDOM.nextInt(PER_FORK);
      if (!GIVEN.contains(port) && isFree(port)) {
        GIVEN.add(port);
        ports.add(port);
      }
    }
    return List.copyOf(ports);
  }

  private static boolean isFree(int port) throws IOException {
    try (var _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return true;
    } catch (BindException e) {
      return false;
    }
  }
}
