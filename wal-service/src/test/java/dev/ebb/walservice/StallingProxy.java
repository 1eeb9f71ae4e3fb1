package dev.ebb.walservice;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A network between a client and a server on this machine. Where it is stalled, bytes neither
 * arrive nor get lost: as TCP has it where packets are dropped for a while. A connection whose end
 * has gone meanwhile says so only when it is healed.
 */
final class StallingProxy implements AutoCloseable {
  /** Which way. */
  enum Way {
    TO_SERVER,
    TO_CLIENT
  }

  private final ServerSocket listening;
  private final int serverPort;
  private final AtomicInteger accepted = new AtomicInteger();
  private final List<Socket> open = new CopyOnWriteArrayList<>();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition healed = lock.newCondition();
  private List<Way> stalled = List.of();

  StallingProxy(int serverPort) throws IOException {
    this.serverPort = serverPort;
    this.listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  int port() {
    return listening.getLocalPort();
  }

  /** Connections so far. */
  int accepted() {
    return accepted.get();
  }

  void stall(List<Way> ways) {
    lock.lock();
    try {
      stalled = ways;
    } finally {
      lock.unlock();
    }
  }

  void heal() {
    lock.lock();
    try {
      stalled = List.of();
      healed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Closes every connection; new ones may come. */
  void cut() {
    open.forEach(StallingProxy::closeQuietly);
    open.clear();
  }

  private void accept() {
    while (!listening.isClosed()) {
      try {
        Socket client = listening.accept();
        accepted.incrementAndGet();
        open.add(client);
        Thread.ofVirtual().start(() -> connect(client));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void connect(Socket client) {
    try {
      var server = new Socket(InetAddress.getLoopbackAddress(), serverPort);
      open.add(server);
      client.setTcpNoDelay(true);
      server.setTcpNoDelay(true);
      Thread.ofVirtual().start(() -> relay(client, server, Way.TO_SERVER));
      relay(server, client, Way.TO_CLIENT);
    } catch (IOException e) {
      closeQuietly(client);
    }
  }

  private void relay(Socket from, Socket to, Way way) {
    var bytes = new byte[64 << 10];
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      int length = in.read(bytes);
      while (length >= 0) {
        awaitHealed(way);
        out.write(bytes, 0, length);
        length = in.read(bytes);
      }
      awaitHealed(way);
    } catch (IOException e) { // the other way closes both
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitHealed(Way way) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (stalled.contains(way)) {
        healed.await();
      }
    } finally {
      lock.unlock();
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) { // it is closed
    }
  }

  @Override
  public void close() throws IOException {
    listening.close();
    heal();
    cut();
  }
}
