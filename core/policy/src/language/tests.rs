//! The language against captured answers of the hosted service.

mod corpus;
