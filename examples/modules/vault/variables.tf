# What the marketplace shows and charges. None of this is asked of the person who deploys.

variable "module_description" {
  description = "One sentence for the card of this module. {{UIMeta group=0 order=1 }}"
  type        = string
  default     = "A safe for secrets, paid with purchased credits only."
}

variable "module_documentation" {
  description = "Where the module is documented. {{UIMeta group=0 order=2 }}"
  type        = string
  default     = "https://developer.hashicorp.com/terraform/language/values/variables#suppressing-values-in-cli-output"
}

variable "module_services" {
  description = "Services this module sets up. {{UIMeta group=0 order=4 }}"
  type        = list(string)
  default     = ["Secrets"]
}

variable "credit_cost" {
  description = "Credits that one deployment costs. {{UIMeta group=0 order=5 }}"
  type        = number
  default     = 25
}

variable "require_credit_purchases" {
  description = "Only purchased credits may pay for this module. {{UIMeta group=0 order=6 }}"
  type        = bool
  default     = true
}

variable "enable_purge" {
  description = "Offer Purge for a deployment that is stuck. {{UIMeta group=0 order=7 }}"
  type        = bool
  default     = true
}

variable "public_access" {
  description = "Everybody signed in may deploy this module. {{UIMeta group=0 order=8 }}"
  type        = bool
  default     = true
}

variable "trusted_users" {
  description = "Who may deploy this module while it is not public. {{UIMeta group=0 order=9 }}"
  type        = list(string)
  default     = ["support@example.com"]
}

variable "deployment_id" {
  description = "Set by the platform: the id of the deployment, part of every name. {{UIMeta group=0 order=10 }}"
  type        = string
  default     = ""
}

# What is asked.

variable "vault_name" {
  description = "Name of the vault. {{UIMeta group=1 order=101 }}"
  type        = string
  default     = "vault"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}$", var.vault_name))
    error_message = "A vault's name has 3 to 21 lower-case letters, digits or hyphens and starts with a letter."
  }
}

variable "master_key" {
  description = "Key that opens the vault, at least 16 characters. {{UIMeta group=1 order=102 required updatesafe }}"
  type        = string
  sensitive   = true
  nullable    = false

  validation {
    condition     = length(var.master_key) >= 16
    error_message = "The master key needs at least 16 characters."
  }
}

variable "secrets" {
  description = "Names of the secrets it has room for. {{UIMeta group=2 order=201 updatesafe }}"
  type        = set(string)
  default     = ["database", "mail"]
}

variable "allowed_networks" {
  description = "Networks that reach the vault, in CIDR notation. {{UIMeta group=2 order=202 updatesafe }}"
  type        = list(string)
  default     = ["10.0.0.0/8"]

  validation {
    condition     = alltrue([for network in var.allowed_networks : can(cidrhost(network, 0))])
    error_message = "Networks are written like 10.0.0.0/8."
  }
}
