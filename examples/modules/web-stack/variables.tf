# What the marketplace shows and charges. None of this is asked of the person who deploys.

variable "module_description" {
  description = "One sentence for the card of this module. {{UIMeta group=0 order=1 }}"
  type        = string
  default     = "A web service with listeners, labels and an optional database."
}

variable "module_documentation" {
  description = "Where the module is documented. {{UIMeta group=0 order=2 }}"
  type        = string
  default     = "https://developer.hashicorp.com/terraform/language/values/variables"
}

variable "module_services" {
  description = "Services this module sets up. {{UIMeta group=0 order=4 }}"
  type        = list(string)
  default     = ["Web service", "Database", "Listeners"]
}

variable "credit_cost" {
  description = "Credits that one deployment costs. {{UIMeta group=0 order=5 }}"
  type        = number
  default     = 20
}

variable "require_credit_purchases" {
  description = "Only purchased credits may pay for this module. {{UIMeta group=0 order=6 }}"
  type        = bool
  default     = false
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
  default     = []
}

variable "deployment_id" {
  description = "Set by the platform: the id of the deployment, part of every name. {{UIMeta group=0 order=10 }}"
  type        = string
  default     = ""
}

# Step 1: the service.

variable "service_name" {
  description = "Name of the service: lower-case letters, digits and hyphens. {{UIMeta group=1 order=101 required }}"
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.service_name))
    error_message = "A service name has 3 to 30 lower-case letters, digits or hyphens, starts with a letter and does not end with a hyphen."
  }
}

variable "environment" {
  description = "What the service is for. {{UIMeta group=1 order=102 options=development,staging,production updatesafe }}"
  type        = string
  default     = "development"
}

variable "region" {
  description = "Where it runs. {{UIMeta group=1 order=103 options=europe-north,europe-west,asia-south,us-east }}"
  type        = string
  default     = "europe-west"
}

variable "domains" {
  description = "Domain names the service answers to. {{UIMeta group=1 order=104 updatesafe }}"
  type        = list(string)
  default     = ["www.example.com"]

  validation {
    condition     = length(var.domains) > 0 && alltrue([for domain in var.domains : can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", domain))])
    error_message = "Name at least one domain, each like www.example.com."
  }
}

# Step 2: its capacity.

variable "instances" {
  description = "How many instances run. {{UIMeta group=2 order=201 updatesafe }}"
  type        = number
  default     = 2

  validation {
    condition     = var.instances >= 1 && var.instances <= 10 && floor(var.instances) == var.instances
    error_message = "Run between 1 and 10 instances."
  }
}

variable "create_database" {
  description = "Set up a database for the service. {{UIMeta group=2 order=202 }}"
  type        = bool
  default     = true
}

variable "database" {
  description = "The database. {{UIMeta group=2 order=203 dependson=create_database==true }}"
  type = object({
    engine     = optional(string, "postgres")
    storage_gb = optional(number, 20)
    backup = optional(object({
      enabled     = optional(bool, true)
      keep_days   = optional(number, 7)
      window_hour = optional(number, 3)
    }), {})
    flags = optional(map(string), {})
  })
  default = {}

  validation {
    condition     = contains(["postgres", "mysql"], var.database.engine)
    error_message = "The engine is postgres or mysql."
  }

  validation {
    condition     = var.database.backup.window_hour >= 0 && var.database.backup.window_hour < 24
    error_message = "The backup window starts at an hour between 0 and 23."
  }
}

variable "listeners" {
  description = "Ports the service listens on. {{UIMeta group=2 order=204 updatesafe }}"
  type = list(object({
    port     = number
    protocol = optional(string, "https")
    paths    = optional(set(string), ["/"])
  }))
  default = [{ port = 443 }]

  validation {
    condition     = alltrue([for listener in var.listeners : listener.port > 0 && listener.port < 65536])
    error_message = "A port lies between 1 and 65535."
  }

  validation {
    condition     = length(distinct([for listener in var.listeners : listener.port])) == length(var.listeners)
    error_message = "Each port is listened on once."
  }
}

variable "labels" {
  description = "Labels put on every part. {{UIMeta group=2 order=205 updatesafe }}"
  type        = map(string)
  default     = { team = "web" }
}

# Step 3: its security.

variable "admin_password" {
  description = "Password of the administrator, at least 12 characters. {{UIMeta group=3 order=301 required updatesafe }}"
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.admin_password) >= 12
    error_message = "The administrator's password needs at least 12 characters."
  }
}

variable "encrypt" {
  description = "Serve the domains over TLS. {{UIMeta group=3 order=302 updatesafe }}"
  type        = bool
  default     = true
}

variable "certificate_contact" {
  description = "Who is told before a certificate expires. {{UIMeta group=3 order=303 updatesafe dependson=(environment=='production' && encrypt==true) }}"
  type        = string
  default     = null

  validation {
    condition     = var.certificate_contact == null || can(regex("^[^@ ]+@[^@ ]+$", var.certificate_contact))
    error_message = "The certificate contact is an e-mail address."
  }
}
