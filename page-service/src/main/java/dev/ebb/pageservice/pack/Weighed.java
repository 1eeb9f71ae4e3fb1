package dev.ebb.pageservice.pack;

/** Something that is kept in memory and knows roughly how many bytes it takes there. */
public interface Weighed {
  int weight();
}
